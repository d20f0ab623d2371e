#include "eval/coco_eval.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <unordered_map>
#include <utility>

#include "base/error.h"
#include "base/memory.h"
#include "eval/coco_accumulate.h"
#include "eval/coco_match.h"
#include "eval/id_index.h"
#include "eval/score_order.h"

namespace ssd {
namespace {

// Evenly spaced values with the rounding of numpy.linspace.
template <std::size_t N>
std::array<double, N> linspace(double first, double last) {
  const double step = (last - first) / static_cast<double>(N - 1);
  std::array<double, N> values;
  for (std::size_t i = 0; i < N; ++i) values[i] = static_cast<double>(i) * step + first;
  values[N - 1] = last;
  return values;
}

// Boxes of a kind, category by category, in a category image by image, in an image as given.
template <typename T>
class Grouped {
 public:
  Grouped(std::span<const T> boxes, const IdIndex& images, const IdIndex& categories)
      : begin_(categories.size() + 1) {
    std::vector<Entry> entries;
    entries.reserve(boxes.size());
    for (const T& box : boxes) {
      const std::uint32_t image = images.find(box.image_id);
      const std::uint32_t category = categories.find(box.category_id);
      if (image == IdIndex::absent || category == IdIndex::absent) continue;
      entries.push_back({&box, image, category});
    }
    order_by_image(entries, images.size());
    for (const Entry& entry : entries) ++begin_[entry.category + 1];
    std::partial_sum(begin_.begin(), begin_.end(), begin_.begin());
    boxes_.resize(entries.size());
    images_.resize(entries.size());
    std::vector<std::size_t> next(begin_.begin(), begin_.end() - 1);
    for (const Entry& entry : entries) {
      const std::size_t at = next[entry.category]++;
      boxes_[at] = entry.box;
      images_[at] = entry.image;
    }
  }

  std::size_t size(std::size_t category) const { return begin_[category + 1] - begin_[category]; }

  // A category's boxes, walked image by image.
  class Walk {
   public:
    Walk(const Grouped& grouped, std::size_t category)
        : grouped_(grouped), at_(grouped.begin_[category]), end_(grouped.begin_[category + 1]) {}

    // The image of the next boxes, or IdIndex::absent (the largest number) at the end.
    std::uint32_t image() const { return at_ < end_ ? grouped_.images_[at_] : IdIndex::absent; }

    // The boxes of the image: empty where the next ones are of a later image.
    std::span<const T* const> take(std::uint32_t image) {
      const std::size_t first = at_;
      while (at_ < end_ && grouped_.images_[at_] == image) ++at_;
      return std::span(grouped_.boxes_).subspan(first, at_ - first);
    }

   private:
    const Grouped& grouped_;
    std::size_t at_, end_;
  };

 private:
  struct Entry {
    const T* box;
    std::uint32_t image, category;
  };

  // Entries of an image keep their order. Counting takes a step an entry, sorting twenty.
  static void order_by_image(std::vector<Entry>& entries, std::size_t images) {
    const auto by_image = [](const Entry& a, const Entry& b) { return a.image < b.image; };
    if (std::is_sorted(entries.begin(), entries.end(), by_image)) return;
    std::vector<std::size_t> next(images + 1);
    for (const Entry& entry : entries) ++next[entry.image + 1];
    std::partial_sum(next.begin(), next.end(), next.begin());
    std::vector<Entry> ordered(entries.size());
    for (const Entry& entry : entries) ordered[next[entry.image]++] = entry;
    entries = std::move(ordered);
  }

  std::vector<std::size_t> begin_;  // of each category, and the end
  std::vector<const T*> boxes_;
  std::vector<std::uint32_t> images_;
};

using Objects = Grouped<GroundTruthBox>;
using Detections = Grouped<DetectedBox>;

// The best detections of an image, by falling score (equal scores as given).
void take_best(std::span<const DetectedBox* const> detections, std::size_t most,
               std::vector<const DetectedBox*>& best) {
  best.assign(detections.begin(), detections.end());
  const auto before = [](const DetectedBox* a, const DetectedBox* b) {
    return falling_key(a->score) < falling_key(b->score);
  };
  if (!std::is_sorted(best.begin(), best.end(), before)) std::stable_sort(best.begin(), best.end(), before);
  if (best.size() > most) best.resize(most);
}

void order_by_falling_score(std::vector<MatchedDetection>& detections) {
  std::vector<double> scores;
  scores.reserve(detections.size());
  for (const MatchedDetection& detection : detections) scores.push_back(detection.score);
  std::vector<MatchedDetection> ordered;
  ordered.reserve(detections.size());
  for (const std::uint32_t i : by_falling_score(scores)) ordered.push_back(detections[i]);
  detections = std::move(ordered);
}

// `has_objects`: of each image.
CategoryMatches match_category(const Objects& objects, const Detections& detections, std::size_t category,
                               const CocoSettings& settings, const std::vector<bool>& has_objects) {
  CategoryMatches matches;
  matches.detections.reserve(detections.size(category));
  CocoMatcher matcher(settings);
  std::vector<const DetectedBox*> best;
  Objects::Walk object_walk(objects, category);
  Detections::Walk detection_walk(detections, category);
  while (true) {
    const std::uint32_t image = std::min(object_walk.image(), detection_walk.image());
    if (image == IdIndex::absent) break;
    take_best(detection_walk.take(image), settings.limits.back(), best);
    matcher.match({.objects = object_walk.take(image), .detections = best, .has_objects = has_objects[image]},
                  matches);
  }
  order_by_falling_score(matches.detections);
  return matches;
}

// Of each image, whether it has an object of whatever category.
std::vector<bool> images_with_objects(const IdIndex& images, std::span<const GroundTruthBox> objects) {
  std::vector<bool> has_objects(images.size());
  for (const GroundTruthBox& object : objects) {
    const std::uint32_t image = images.find(object.image_id);
    if (image != IdIndex::absent) has_objects[image] = true;
  }
  return has_objects;
}

// Copies a category's (outer, A, M) into the result's (outer, K, A, M).
void store(const std::vector<double>& curves, std::size_t category, std::size_t categories,
           std::vector<double>& result) {
  constexpr std::size_t settings = CategoryCurves::settings;
  for (std::size_t outer = 0; outer < curves.size() / settings; ++outer) {
    std::copy_n(curves.begin() + static_cast<std::ptrdiff_t>(outer * settings), settings,
                result.begin() + static_cast<std::ptrdiff_t>((outer * categories + category) * settings));
  }
}

bool has_duplicates(std::span<const GroundTruthBox> objects) {
  std::vector<std::int64_t> ids;
  ids.reserve(objects.size());
  for (const GroundTruthBox& object : objects) ids.push_back(object.id);
  std::sort(ids.begin(), ids.end());
  return std::adjacent_find(ids.begin(), ids.end()) != ids.end();
}

// pycocotools looks annotations up by their id after choosing those of the listed images and categories,
// image by image: of several with the same id it takes the last each time.
std::vector<GroundTruthBox> resolve_duplicates(std::span<const GroundTruthBox> objects, const IdIndex& images,
                                               const IdIndex& categories) {
  std::unordered_map<std::int64_t, const GroundTruthBox*> last;
  std::vector<std::pair<std::uint32_t, const GroundTruthBox*>> chosen;
  for (const GroundTruthBox& object : objects) {
    last[object.id] = &object;
    const std::uint32_t image = images.find(object.image_id);
    if (image == IdIndex::absent || categories.find(object.category_id) == IdIndex::absent) continue;
    chosen.emplace_back(image, &object);
  }
  std::stable_sort(chosen.begin(), chosen.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<GroundTruthBox> resolved;
  resolved.reserve(chosen.size());
  for (const auto& [image, object] : chosen) resolved.push_back(*last[object->id]);
  return resolved;
}

// Categories with the most boxes first, so that no thread is left with a long one at the end.
std::vector<std::size_t> largest_first(const Objects& objects, const Detections& detections,
                                       std::size_t categories) {
  std::vector<std::size_t> order(categories);
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto boxes = [&](std::size_t k) { return objects.size(k) + detections.size(k); };
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return boxes(a) > boxes(b); });
  return order;
}

// Calls body(i) for i in 0 .. count - 1, on the pool where there is one.
void each(ThreadPool* pool, std::size_t count, const std::function<void(std::size_t)>& body) {
  if (pool != nullptr) return pool->parallel_for(count, body);
  for (std::size_t i = 0; i < count; ++i) body(i);
}

}  // namespace

std::array<double, coco_iou_count> coco_iou_thresholds() { return linspace<coco_iou_count>(0.5, 0.95); }

std::array<double, coco_recall_count> coco_recall_thresholds() { return linspace<coco_recall_count>(0, 1); }

CocoEvaluation::CocoEvaluation(const CocoEvalInput& input, ThreadPool* pool)
    : settings_(input.settings), pool_(pool) {
  const IdIndex images(input.image_ids);
  const IdIndex categories(input.category_ids);
  const std::vector<bool> has_objects = ssd::images_with_objects(images, input.ground_truth);
  images_with_objects_ = static_cast<std::size_t>(std::ranges::count(has_objects, true));
  std::span<const GroundTruthBox> ground_truth = input.ground_truth;
  std::vector<GroundTruthBox> resolved;
  if (has_duplicates(ground_truth)) {
    resolved = resolve_duplicates(ground_truth, images, categories);
    ground_truth = resolved;
  }
  const Objects objects(ground_truth, images, categories);
  const Detections detections(input.detections, images, categories);
  category_ids_ = categories.ids();
  matches_.resize(categories.size());
  const std::vector<std::size_t> order = largest_first(objects, detections, matches_.size());
  each(pool_, matches_.size(), [&](std::size_t i) {
    matches_[order[i]] = match_category(objects, detections, order[i], settings_, has_objects);
  });
}

CocoEvaluation::~CocoEvaluation() = default;

bool CocoEvaluation::all_alike() const {
  return std::ranges::all_of(matches_, [](const CategoryMatches& matches) {
    return std::ranges::all_of(matches.detections, &MatchedDetection::image_has_objects);
  });
}

CocoEvalResult CocoEvaluation::curves(Images images, CocoEvalInput::Scores scores) const {
  const std::size_t count = matches_.size();
  CocoEvalResult result;
  result.category_ids = category_ids_;
  const std::size_t settings = coco_iou_count * count * CategoryCurves::settings;
  const std::size_t points = settings * coco_recall_count;
  const bool keep_scores = scores == CocoEvalInput::Scores::kept;
  with_memory(points * sizeof(double), fmt::format("the curves of {} categories", count), [&] {
    result.recall.resize(settings);
    result.precision.resize(points);
    if (keep_scores) result.scores.resize(points);
  });
  each(pool_, count, [&](std::size_t k) {
    const CategoryCurves curves = accumulate(matches_[k], settings_, images);
    store(curves.precision, k, count, result.precision);
    store(curves.recall, k, count, result.recall);
    if (keep_scores) store(curves.scores, k, count, result.scores);
  });
  return result;
}

CocoEvalResult evaluate_coco(const CocoEvalInput& input, ThreadPool* pool) {
  return CocoEvaluation(input, pool).curves(CocoEvaluation::Images::all, input.scores);
}

std::vector<StrangeDetection> leave_out_unknown_images(std::vector<DetectedBox>& detections,
                                                       std::span<const std::int64_t> image_ids) {
  const IdIndex images(image_ids);
  std::vector<StrangeDetection> strangers;
  std::size_t kept = 0;
  for (std::size_t i = 0; i < detections.size(); ++i) {
    if (images.find(detections[i].image_id) == IdIndex::absent)
      strangers.push_back({i, detections[i].image_id});
    else
      detections[kept++] = detections[i];
  }
  detections.resize(kept);
  return strangers;
}

}  // namespace ssd
