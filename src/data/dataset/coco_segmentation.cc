#include "data/dataset/coco_segmentation.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace ssd {
namespace {

using Json = nlohmann::json;
using CocoBox = std::optional<std::array<double, 4>>;

class Extent {
 public:
  // False where the list is no polygon.
  bool add(const Json& polygon) {
    constexpr std::size_t least = 6;
    if (!polygon.is_array() || polygon.size() < least || polygon.size() % 2 != 0) return false;
    for (const Json& number : polygon)
      if (!number.is_number() || !std::isfinite(number.get<double>())) return false;
    for (std::size_t i = 0; i < polygon.size(); i += 2) {
      const double x = polygon[i].get<double>(), y = polygon[i + 1].get<double>();
      left_ = std::min(left_, x), right_ = std::max(right_, x);
      top_ = std::min(top_, y), bottom_ = std::max(bottom_, y);
    }
    return true;
  }

  CocoBox box() const {
    if (!(left_ < right_ && top_ < bottom_)) return std::nullopt;
    return std::array{left_, top_, right_ - left_, bottom_ - top_};
  }

 private:
  static constexpr double infinity = std::numeric_limits<double>::infinity();
  double left_ = infinity, top_ = infinity, right_ = -infinity, bottom_ = -infinity;
};

CocoBox box_of_polygons(const Json& list) {
  Extent extent;
  if (!list.empty() && list.front().is_number()) {
    extent.add(list);
  } else {
    for (const Json& polygon : list) extent.add(polygon);
  }
  return extent.box();
}

// Five bits a character from 48 on, the lowest first; each number from the fourth on less the one two before.
std::vector<std::int64_t> decompressed(const std::string& text) {
  constexpr unsigned more = 0x20, sign = 0x10, bits = 0x1f;
  constexpr std::int64_t longest_run = std::int64_t{1} << 40;  // in the largest mask
  std::vector<std::int64_t> counts;
  for (std::size_t at = 0; at < text.size();) {
    std::int64_t count = 0;
    unsigned c = more;
    for (unsigned shift = 0; (c & more) != 0 && at < text.size(); shift += 5) {
      c = static_cast<unsigned>(static_cast<unsigned char>(text[at++])) - 48u;
      if (shift < 60) count |= static_cast<std::int64_t>(c & bits) << shift;
      if ((c & more) == 0 && (c & sign) != 0 && shift < 55) count -= std::int64_t{1} << (shift + 5);
    }
    if (counts.size() > 2) count += counts[counts.size() - 2];
    if (std::abs(count) > longest_run) return {};
    counts.push_back(count);
  }
  return counts;
}

// Runs down the columns, of background and of the object in turn.
CocoBox box_of_runs(const std::vector<std::int64_t>& counts, std::int64_t height, std::int64_t width) {
  std::int64_t at = 0, left = width, top = height, right = -1, bottom = -1;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] < 0 || counts[i] > height * width - at) return std::nullopt;
    const std::int64_t first = at, last = at + counts[i] - 1;
    at += counts[i];
    if (i % 2 == 0 || last < first) continue;
    left = std::min(left, first / height), right = std::max(right, last / height);
    const bool one_column = first / height == last / height;
    top = std::min(top, one_column ? first % height : 0);
    bottom = std::max(bottom, one_column ? last % height : height - 1);
  }
  if (right < 0) return std::nullopt;
  return std::array{static_cast<double>(left), static_cast<double>(top),
                    static_cast<double>(right - left + 1), static_cast<double>(bottom - top + 1)};
}

CocoBox box_of_mask(const Json& mask) {
  constexpr std::int64_t largest_side = 1 << 20;
  const auto size = mask.find("size"), counts = mask.find("counts");
  if (size == mask.end() || counts == mask.end() || !size->is_array() || size->size() != 2)
    return std::nullopt;
  std::array<std::int64_t, 2> sides{};  // height, width
  for (std::size_t i = 0; i < 2; ++i) {
    if (!(*size)[i].is_number_integer()) return std::nullopt;
    sides[i] = (*size)[i].get<std::int64_t>();
    if (sides[i] < 1 || sides[i] > largest_side) return std::nullopt;
  }
  std::vector<std::int64_t> runs;
  if (counts->is_string()) {
    runs = decompressed(counts->get<std::string>());
  } else if (counts->is_array()) {
    for (const Json& count : *counts) {
      if (!count.is_number_integer()) return std::nullopt;
      runs.push_back(count.get<std::int64_t>());
    }
  }
  return box_of_runs(runs, sides[0], sides[1]);
}

}  // namespace

CocoBox box_of_segmentation(std::string_view json) {
  const Json segmentation = Json::parse(json, nullptr, false);
  if (segmentation.is_array()) return box_of_polygons(segmentation);
  if (segmentation.is_object()) return box_of_mask(segmentation);
  return std::nullopt;
}

}  // namespace ssd
