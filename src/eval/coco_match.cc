#include "eval/coco_match.h"

#include <algorithm>
#include <cmath>

namespace ssd {
namespace {

bool is_outside(double value, const std::array<double, 2>& range) {
  return value < range[0] || value > range[1];
}

// Overlap of a detection with an object, NaN where areas are too small or too large for doubles; over the
// detection's area alone where the object is a crowd.
double coco_iou(const PixelBox& detection, const GroundTruthBox& object) {
  const PixelBox& box = object.box;
  const double width =
      std::fmin(detection[2] + detection[0], box[2] + box[0]) - std::fmax(detection[0], box[0]);
  if (width <= 0) return 0;
  const double height =
      std::fmin(detection[3] + detection[1], box[3] + box[1]) - std::fmax(detection[1], box[1]);
  if (height <= 0) return 0;
  const double intersection = width * height;
  const double area = detection[2] * detection[3];
  return intersection / (object.crowd ? area : area + box[2] * box[3] - intersection);
}

}  // namespace

// pycocotools lets an overlap a hair below 1 count at a threshold of 1.
CocoMatcher::CocoMatcher(const CocoSettings& settings)
    : settings_(settings), least_iou_(settings.iou_thresholds) {
  for (double& value : least_iou_) value = std::min(value, 1 - 1e-10);
  lowest_iou_ = *std::ranges::min_element(least_iou_);
}

void CocoMatcher::match(const ImageBoxes& image, CategoryMatches& matches) {
  states_.assign(image.objects.size(), {});
  for (std::size_t g = 0; g < image.objects.size(); ++g) {
    const GroundTruthBox& object = *image.objects[g];
    for (std::size_t a = 0; a < coco_area_count; ++a) {
      states_[g].ignored[a] = object.crowd || is_outside(object.area, settings_.areas[a]);
      if (!states_[g].ignored[a]) ++matches.objects[a];
    }
  }
  for (std::size_t d = 0; d < image.detections.size(); ++d) {
    const DetectedBox& box = *image.detections[d];
    MatchedDetection detection{
        .score = box.score, .rank = static_cast<std::uint32_t>(d), .image_has_objects = image.has_objects};
    const double area = box.box[2] * box.box[3];
    for (std::size_t a = 0; a < coco_area_count; ++a) {
      detection.ignored[a] = is_outside(area, settings_.areas[a]) ? all_thresholds : ThresholdBits{0};
    }
    candidates_.clear();
    for (std::size_t g = 0; g < image.objects.size(); ++g) {
      const double iou = coco_iou(box.box, *image.objects[g]);
      // Not >=: pycocotools lets NaN count as a match.
      if (!(iou < lowest_iou_)) candidates_.push_back({static_cast<std::uint32_t>(g), iou});
    }
    if (!candidates_.empty()) match_detection(image, detection);
    matches.detections.push_back(detection);
  }
}

// The object that a detection takes: the one it overlaps most (the last of equals) among those not taken yet;
// an ignored one only where no other is left. Crowds can be taken any number of times.
const CocoMatcher::Candidate* CocoMatcher::choose(const ImageBoxes& image, std::size_t area,
                                                  std::size_t threshold) const {
  const auto bit = static_cast<ThresholdBits>(1u << threshold);
  double best = least_iou_[threshold];
  const Candidate* chosen = nullptr;
  for (const bool ignored : {false, true}) {
    for (const Candidate& candidate : candidates_) {
      const ObjectState& state = states_[candidate.object];
      if (state.ignored[area] != ignored || candidate.iou < best) continue;
      if ((state.taken[area] & bit) != 0 && !image.objects[candidate.object]->crowd) continue;
      best = candidate.iou;
      chosen = &candidate;
    }
    if (chosen != nullptr) break;
  }
  return chosen;
}

void CocoMatcher::match_detection(const ImageBoxes& image, MatchedDetection& detection) {
  for (std::size_t a = 0; a < coco_area_count; ++a) {
    const bool outside = detection.ignored[a] != 0;
    for (std::size_t t = 0; t < coco_iou_count; ++t) {
      const Candidate* candidate = choose(image, a, t);
      if (candidate == nullptr) continue;
      const auto bit = static_cast<ThresholdBits>(1u << t);
      ObjectState& state = states_[candidate->object];
      state.taken[a] |= bit;
      // pycocotools keeps the object's id as the mark of a match, so id 0 reads as no match.
      const bool counts = image.objects[candidate->object]->id != 0;
      if (counts) detection.matched[a] |= bit;
      const bool ignored = state.ignored[a] || (!counts && outside);
      if (ignored) {
        detection.ignored[a] |= bit;
      } else {
        detection.ignored[a] &= static_cast<ThresholdBits>(~bit);
      }
    }
  }
}

}  // namespace ssd
