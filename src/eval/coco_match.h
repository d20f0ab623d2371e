// Which detections of an image find which objects: COCO's greedy matching. Internal to the evaluation.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "eval/coco_eval.h"

namespace ssd {

// A bit for each IoU threshold, the lowest bit for the lowest threshold.
using ThresholdBits = std::uint16_t;
inline constexpr ThresholdBits all_thresholds = (1u << coco_iou_count) - 1;

// What became of a detection, for each range of object areas.
struct MatchedDetection {
  double score = 0;
  std::array<ThresholdBits, coco_area_count> matched{};  // found an object
  std::array<ThresholdBits, coco_area_count> ignored{};  // counts neither for nor against
  std::uint32_t rank = 0;  // among the image's detections of the category, by score
  bool image_has_objects = true;
};

// One category in all images.
struct CategoryMatches {
  // Image by image, by falling score in an image; once all are there, by falling score, and of equal scores
  // in that order.
  std::vector<MatchedDetection> detections;
  std::array<std::size_t, coco_area_count> objects{};  // to be found
};

// An image's boxes of one category.
struct ImageBoxes {
  std::span<const GroundTruthBox* const> objects;  // in the order of the annotations
  std::span<const DetectedBox* const> detections;  // by falling score, as many as the last limit says at most
  bool has_objects = true;                         // of whatever category
};

// Matches image after image; keeps its working memory.
class CocoMatcher {
 public:
  explicit CocoMatcher(const CocoSettings& settings);

  void match(const ImageBoxes& image, CategoryMatches& matches);

 private:
  struct Candidate {
    std::uint32_t object;
    double iou;
  };
  struct ObjectState {
    std::array<bool, coco_area_count> ignored{};
    std::array<ThresholdBits, coco_area_count> taken{};
  };

  void match_detection(const ImageBoxes& image, MatchedDetection& detection);
  const Candidate* choose(const ImageBoxes& image, std::size_t area, std::size_t threshold) const;

  const CocoSettings& settings_;
  std::array<double, coco_iou_count> least_iou_;
  double lowest_iou_;                  // of them
  std::vector<Candidate> candidates_;  // of the detection at hand: the objects it overlaps enough
  std::vector<ObjectState> states_;    // of the image's objects
};

}  // namespace ssd
