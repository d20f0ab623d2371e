#include "detect/evaluation_notes.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/counted.h"
#include "eval/id_index.h"

namespace ssd {
namespace {

using Ids = std::unordered_set<std::int64_t>;

// COCO's evaluation keeps what it matched by ids.
void note_ids(const CocoFile& truth, std::vector<std::string>& notes) {
  std::vector<std::int64_t> ids;
  ids.reserve(truth.annotations.size());
  for (const CocoAnnotation& one : truth.annotations) ids.push_back(one.id);
  std::ranges::sort(ids);
  const auto zeros = std::ranges::count(ids, 0);
  const auto repeated = ids.end() - std::unique(ids.begin(), ids.end());  // clang 14 reads no ranges::unique
  if (zeros > 0)
    notes.push_back(counted(
        static_cast<std::size_t>(zeros),
        "object[s] [has|have] the id 0, and COCO's evaluation never counts [it|them] as found: give the "
        "annotations ids from 1 on"));
  if (repeated > 0)
    notes.push_back(counted(
        static_cast<std::size_t>(repeated),
        "annotation id[s] [occurs|occur] before, and COCO's evaluation takes objects of one id for the "
        "same, so that the numbers below are wrong: give each an id of its own"));
}

void note_limit(const CocoFile& truth, std::size_t most, std::vector<std::string>& notes) {
  std::vector<std::pair<std::int64_t, std::int64_t>> objects;  // image and category of each
  objects.reserve(truth.annotations.size());
  for (const CocoAnnotation& one : truth.annotations) objects.emplace_back(one.image_id, one.category_id);
  std::ranges::sort(objects);
  std::set<std::int64_t> images;
  std::size_t largest = 0;
  for (auto first = objects.begin(); first != objects.end();) {
    const auto end = std::find_if(first, objects.end(), [&](const auto& one) { return one != *first; });
    const auto count = static_cast<std::size_t>(end - first);
    if (count > most) images.insert(first->first);
    largest = std::max(largest, count);
    first = end;
  }
  if (images.empty()) return;
  notes.push_back(
      fmt::format("{} more objects of a category (up to {}) than the {}: "
                  "AP and AR cannot reach 1; --max-detections 1,10,{} counts more",
                  counted(images.size(), "image[s] [has|have]"), largest,
                  counted(most, "detection[s] that [counts|count]"), largest));
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

void note_categories(const CocoFile& truth, const std::vector<DetectedBox>& detections, const IdTexts& texts,
                     std::vector<std::string>& notes) {
  std::vector<std::int64_t> ids;
  for (const CocoCategory& one : truth.categories) ids.push_back(one.id);
  const IdIndex listed(ids);
  std::vector<bool> detected(listed.size());
  Ids missed;
  std::size_t strangers = 0;
  const DetectedBox* first = nullptr;
  for (const DetectedBox& one : detections) {
    const std::uint32_t category = listed.find(one.category_id);
    if (category != IdIndex::absent) {
      detected[category] = true;
      continue;
    }
    ++strangers;
    if (!first) first = &one;
  }
  if (first)
    notes.push_back(fmt::format("{} of categories that are not listed, the first of {}: they do not count",
                                counted(strangers, "detection[s] [is|are]"),
                                id_words(first->category_id, texts.categories)));
  if (detections.empty()) return;
  for (const CocoAnnotation& one : truth.annotations) {
    const std::uint32_t category = listed.find(one.category_id);
    if (category != IdIndex::absent && !detected[category]) missed.insert(one.category_id);
  }
  if (!missed.empty())
    notes.push_back(fmt::format("{} objects and no detection: {}",
                                counted(missed.size(), "categor[y has|ies have]"), names_of(truth, missed)));
}

// The overlap (intersection over union) of two boxes.
double overlap(const PixelBox& a, const std::array<double, 4>& b) {
  const double width = std::min(a[0] + a[2], b[0] + b[2]) - std::max(a[0], b[0]);
  const double height = std::min(a[1] + a[3], b[1] + b[3]) - std::max(a[1], b[1]);
  if (width <= 0 || height <= 0) return 0;
  return width * height / (a[2] * a[3] + b[2] * b[3] - width * height);
}

// Detections are left, top, right, bottom where the first that would find an object so find none as they are.
void note_corners(const CocoFile& truth, const std::vector<DetectedBox>& detections,
                  std::vector<std::string>& notes) {
  constexpr std::size_t enough = 1000;
  constexpr double found = 0.5;
  const auto some = std::span(detections).first(std::min(detections.size(), enough));
  std::map<std::int64_t, std::vector<const CocoAnnotation*>> objects;  // of the images of these
  for (const DetectedBox& one : some) objects[one.image_id];
  for (const CocoAnnotation& one : truth.annotations)
    if (const auto image = objects.find(one.image_id); image != objects.end()) image->second.push_back(&one);
  std::size_t as_boxes = 0, as_corners = 0;
  for (const DetectedBox& one : some) {
    const auto [left, top, right, bottom] = one.box;
    const PixelBox box{left, top, right - left, bottom - top};
    const auto finds = [&](const PixelBox& detected) {
      return std::ranges::any_of(objects[one.image_id], [&](const CocoAnnotation* object) {
        return object->category_id == one.category_id && overlap(detected, object->bbox) >= found;
      });
    };
    as_boxes += finds(one.box);
    as_corners += box[2] > 0 && box[3] > 0 && finds(box);
  }
  if (as_corners < 5 || as_corners < 4 * as_boxes) return;
  notes.push_back(fmt::format(
      "the boxes of the detections seem to be left, top, right, bottom: {} of the first {} would find "
      "an object so, and {} do as they are; COCO's are left, top, width, height",
      as_corners, some.size(), as_boxes));
}

}  // namespace

std::vector<std::string> evaluation_notes(const CocoFile& truth, const std::vector<DetectedBox>& detections,
                                          const CocoLimits& limits, const IdTexts& texts) {
  std::vector<std::string> notes;
  if (truth.annotations.empty())
    notes.push_back(fmt::format("its {} no object: there is nothing to find, and all numbers are -1",
                                counted(truth.images.size(), "image[s] [has|have]")));
  if (detections.empty()) notes.push_back("there are no detections: nothing is found");
  note_ids(truth, notes);
  note_limit(truth, limits.back(), notes);
  note_categories(truth, detections, texts, notes);
  note_corners(truth, detections, notes);
  return notes;
}

}  // namespace ssd
