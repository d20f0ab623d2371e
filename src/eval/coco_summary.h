// COCO's twelve numbers and the average precision of each category.
#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "eval/coco_eval.h"

namespace ssd {

inline constexpr std::size_t coco_number_count = 12;

// AP, AP50, AP75, AP of small, medium and large objects; AR with 1, 10 and 100 detections, AR of small,
// medium and large objects. Each is -1 where no category has such objects.
using CocoNumbers = std::array<double, coco_number_count>;
inline constexpr std::array<std::string_view, coco_number_count> coco_number_names{
    "AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl"};

// The same with the evaluation's own limits: "AR1", "AR10", "AR500".
std::array<std::string, coco_number_count> coco_number_names_of(const CocoLimits& limits);

// AP and AR of areas count the most detections of the limits.
CocoNumbers summarize(const CocoEvalResult& result);

// AP over all IoU thresholds, all areas, 100 detections: (K), in the order of result.category_ids; -1 for a
// category without objects.
std::vector<double> average_precision_of_categories(const CocoEvalResult& result);

// The mean as numpy takes it: the sum of halves down to 128 elements, there eight running sums. The order of
// the additions decides the last bits. NaN without elements.
double numpy_mean(std::span<const double> values);

}  // namespace ssd
