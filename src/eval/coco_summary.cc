#include "eval/coco_summary.h"

#include <algorithm>

namespace ssd {
namespace {

double numpy_sum(std::span<const double> values) {
  const std::size_t n = values.size();
  if (n < 8) {
    double sum = 0;
    for (const double value : values) sum += value;
    return sum;
  }
  if (n > 128) {
    const std::size_t half = n / 2 - n / 2 % 8;
    return numpy_sum(values.first(half)) + numpy_sum(values.subspan(half));
  }
  std::array<double, 8> lanes;
  for (std::size_t k = 0; k < 8; ++k) lanes[k] = values[k];
  std::size_t i = 8;
  for (; i < n - n % 8; i += 8) {
    for (std::size_t k = 0; k < 8; ++k) lanes[k] += values[i + k];
  }
  double sum =
      ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) + ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]));
  for (; i < n; ++i) sum += values[i];
  return sum;
}

// Which part of the arrays a number is the mean of.
struct Part {
  std::size_t first_iou = 0, last_iou = coco_iou_count;  // [first, last)
  std::size_t area = 0;
  std::size_t limit = coco_limit_count - 1;
};

// Mean of the entries above -1 of an array (T, inner, A, M): inner is R * K for precision, K for recall.
double mean_of(std::span<const double> values, std::size_t inner, const Part& part) {
  std::vector<double> present;
  present.reserve((part.last_iou - part.first_iou) * inner);
  for (std::size_t i = part.first_iou * inner; i < part.last_iou * inner; ++i) {
    const double value = values[(i * coco_area_count + part.area) * coco_limit_count + part.limit];
    if (value > -1) present.push_back(value);
  }
  return present.empty() ? -1 : numpy_mean(present);
}

}  // namespace

double numpy_mean(std::span<const double> values) {
  return numpy_sum(values) / static_cast<double>(values.size());
}

std::array<std::string, coco_number_count> coco_number_names_of(const CocoLimits& limits) {
  std::array<std::string, coco_number_count> names;
  std::ranges::copy(coco_number_names, names.begin());
  for (std::size_t m = 0; m < limits.size(); ++m) names[6 + m] = "AR" + std::to_string(limits[m]);
  return names;
}

CocoNumbers summarize(const CocoEvalResult& result) {
  const std::size_t categories = result.category_ids.size();
  const auto precision = [&](const Part& part) {
    return mean_of(result.precision, coco_recall_count * categories, part);
  };
  const auto recall = [&](const Part& part) { return mean_of(result.recall, categories, part); };
  return {precision({}),
          precision({.first_iou = 0, .last_iou = 1}),
          precision({.first_iou = 5, .last_iou = 6}),
          precision({.area = 1}),
          precision({.area = 2}),
          precision({.area = 3}),
          recall({.limit = 0}),
          recall({.limit = 1}),
          recall({.limit = 2}),
          recall({.area = 1}),
          recall({.area = 2}),
          recall({.area = 3})};
}

std::vector<double> average_precision_of_categories(const CocoEvalResult& result) {
  const std::size_t categories = result.category_ids.size();
  std::vector<double> averages;
  averages.reserve(categories);
  std::vector<double> present;
  for (std::size_t k = 0; k < categories; ++k) {
    present.clear();
    for (std::size_t i = 0; i < coco_iou_count * coco_recall_count; ++i) {
      const std::size_t entry = (i * categories + k) * coco_area_count * coco_limit_count;
      const double value = result.precision[entry + coco_limit_count - 1];
      if (value > -1) present.push_back(value);
    }
    averages.push_back(present.empty() ? -1 : numpy_mean(present));
  }
  return averages;
}

}  // namespace ssd
