#include "detect/evaluation_notes.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <unordered_map>
#include <unordered_set>
#include <utility>

namespace ssd {
namespace {

using Ids = std::unordered_set<std::int64_t>;

// COCO's evaluation keeps what it matched by ids.
void note_ids(const CocoFile& truth, std::vector<std::string>& notes) {
  Ids ids;
  std::size_t zeros = 0, repeated = 0;
  for (const CocoAnnotation& one : truth.annotations) {
    zeros += one.id == 0;
    repeated += !ids.insert(one.id).second;
  }
  if (zeros > 0)
    notes.push_back(
        fmt::format("{} objects have the id 0, and COCO's evaluation never counts them as found: give the "
                    "annotations ids from 1 on",
                    zeros));
  if (repeated > 0)
    notes.push_back(
        fmt::format("{} annotation ids occur before, and COCO's evaluation takes objects of one id for the "
                    "same, so that the numbers below are wrong: give each an id of its own",
                    repeated));
}

void note_limit(const CocoFile& truth, std::size_t most, std::vector<std::string>& notes) {
  std::map<std::pair<std::int64_t, std::int64_t>, std::size_t> counts;  // by image and category
  for (const CocoAnnotation& one : truth.annotations) ++counts[{one.image_id, one.category_id}];
  std::set<std::int64_t> images;
  std::size_t largest = 0;
  for (const auto& [key, count] : counts) {
    if (count > most) images.insert(key.first);
    largest = std::max(largest, count);
  }
  if (images.empty()) return;
  notes.push_back(
      fmt::format("{} images have more objects of a category (up to {}) than the {} detections that count: "
                  "AP and AR cannot reach 1; --max-detections 1,10,{} counts more",
                  images.size(), largest, most, largest));
}

// The names of some categories, the first few of them.
std::string names_of(const CocoFile& truth, const Ids& ids) {
  constexpr std::size_t named = 5;
  std::string text;
  std::size_t count = 0;
  for (const CocoCategory& one : truth.categories) {
    if (!ids.contains(one.id) || ++count > named) continue;
    text += (text.empty() ? "" : ", ") + one.name;
  }
  return count > named ? text + ", ..." : text;
}

void note_categories(const CocoFile& truth, const std::vector<DetectedBox>& detections,
                     std::vector<std::string>& notes) {
  Ids listed, detected, missed;
  for (const CocoCategory& one : truth.categories) listed.insert(one.id);
  std::size_t strangers = 0;
  const DetectedBox* first = nullptr;
  for (const DetectedBox& one : detections) {
    detected.insert(one.category_id);
    if (listed.contains(one.category_id)) continue;
    ++strangers;
    if (!first) first = &one;
  }
  if (first)
    notes.push_back(
        fmt::format("{} detections are of categories that are not listed, the first of {}: they do "
                    "not count",
                    strangers, first->category_id));
  if (detections.empty()) return;
  for (const CocoAnnotation& one : truth.annotations)
    if (listed.contains(one.category_id) && !detected.contains(one.category_id))
      missed.insert(one.category_id);
  if (!missed.empty())
    notes.push_back(fmt::format("{} categories have objects and no detection: {}", missed.size(),
                                names_of(truth, missed)));
}

}  // namespace

std::vector<std::string> evaluation_notes(const CocoFile& truth, const std::vector<DetectedBox>& detections,
                                          const CocoLimits& limits) {
  std::vector<std::string> notes;
  if (truth.annotations.empty())
    notes.push_back(
        fmt::format("its {} images have no object: there is nothing to find, and all numbers are -1",
                    truth.images.size()));
  note_ids(truth, notes);
  note_limit(truth, limits.back(), notes);
  note_categories(truth, detections, notes);
  return notes;
}

}  // namespace ssd
