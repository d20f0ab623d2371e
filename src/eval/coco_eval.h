// COCO's evaluation of detected boxes, equal to pycocotools to the last bit. Two numbers differ on purpose:
// ids beyond 2^53 are exact even where another id of the file is written as 7.0, which makes pycocotools
// round all of them to doubles; and scores are doubles, where pycocotools keeps those written as integers
// in 64 bits, so that some beyond 2^53 which it can tell apart are equal here.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/thread_pool.h"

namespace ssd {

// Left, top, width, height in pixels.
using PixelBox = std::array<double, 4>;

// An annotated object. COCO's `ignore` field is no part of it: pycocotools overwrites it by `iscrowd`.
struct GroundTruthBox {
  std::int64_t id = 0;  // of the annotation
  std::int64_t image_id = 0;
  std::int64_t category_id = 0;
  PixelBox box{};
  double area = 0;  // of the object in square pixels, which need not be the box's
  bool crowd = false;
};

struct DetectedBox {
  std::int64_t image_id = 0;
  std::int64_t category_id = 0;
  PixelBox box{};
  double score = 0;

  bool operator==(const DetectedBox&) const = default;
};

// The axes of the result. Thresholds of IoU 0.50, 0.55 ... 0.95; of recall 0, 0.01 ... 1; object areas in
// square pixels (all, small, medium, large); most detections of a category in an image.
inline constexpr std::size_t coco_iou_count = 10;      // T
inline constexpr std::size_t coco_recall_count = 101;  // R
inline constexpr std::size_t coco_area_count = 4;      // A
inline constexpr std::size_t coco_limit_count = 3;     // M
using CocoLimits = std::array<std::size_t, coco_limit_count>;
inline constexpr CocoLimits coco_limits{1, 10, 100};
inline constexpr std::array<std::array<double, 2>, coco_area_count> coco_areas{
    {{0, 1e10}, {0, 1024}, {1024, 9216}, {9216, 1e10}}};
std::array<double, coco_iou_count> coco_iou_thresholds();
std::array<double, coco_recall_count> coco_recall_thresholds();

// The values on these axes, of which others can be given in the same numbers: more are evaluated in turns.
struct CocoSettings {
  std::array<double, coco_iou_count> iou_thresholds = coco_iou_thresholds();
  std::array<double, coco_recall_count> recall_thresholds = coco_recall_thresholds();
  std::array<std::array<double, 2>, coco_area_count> areas = coco_areas;
  CocoLimits limits = coco_limits;  // ascending
};

// What is evaluated. Boxes of images or categories not listed are left out.
struct CocoEvalInput {
  std::span<const std::int64_t> image_ids;     // in any order; duplicates count once
  std::span<const std::int64_t> category_ids;  // in any order; duplicates count once
  std::span<const GroundTruthBox> ground_truth;
  std::span<const DetectedBox> detections;
  enum class Scores { kept, dropped };
  CocoSettings settings;
  Scores scores = Scores::kept;  // dropped: the result's are empty, and half the memory is needed
};

// pycocotools' `eval` dictionary. -1 where a category has no object of the area.
struct CocoEvalResult {
  std::vector<std::int64_t> category_ids;  // (K), ascending
  std::vector<double> precision;           // (T, R, K, A, M)
  std::vector<double> recall;              // (T, K, A, M)
  std::vector<double> scores;              // (T, R, K, A, M): the score at which the recall is reached
};

// Evaluates; categories run on the pool where there is one. Objects with the same annotation id count as
// pycocotools counts them: all as the last one; a match with the object of id 0 does not count as one.
CocoEvalResult evaluate_coco(const CocoEvalInput& input, ThreadPool* pool = nullptr);

struct CategoryMatches;

// The same for all images, and for those with at least one object (of whatever category) as if no others were
// listed: the recipe evaluates on these alone. What was matched serves both.
class CocoEvaluation {
 public:
  enum class Images { all, with_objects };

  // What the input's spans hold need not outlive this.
  explicit CocoEvaluation(const CocoEvalInput& input, ThreadPool* pool = nullptr);
  ~CocoEvaluation();
  CocoEvaluation(const CocoEvaluation&) = delete;
  CocoEvaluation& operator=(const CocoEvaluation&) = delete;

  std::size_t images_with_objects() const { return images_with_objects_; }
  // Whether both give the same: every detection is of an image with objects.
  bool all_alike() const;
  CocoEvalResult curves(Images images, CocoEvalInput::Scores scores) const;

 private:
  CocoSettings settings_;
  ThreadPool* pool_;
  std::vector<std::int64_t> category_ids_;
  std::vector<CategoryMatches> matches_;  // of each category
  std::size_t images_with_objects_ = 0;
};

struct StrangeDetection {
  std::size_t place = 0;  // in the list that was
  std::int64_t image_id = 0;
};

// Takes away the detections of images that are not listed, which no object could meet; pycocotools' loadRes()
// refuses a list that has some. Returns these, in their order.
std::vector<StrangeDetection> leave_out_unknown_images(std::vector<DetectedBox>& detections,
                                                       std::span<const std::int64_t> image_ids);

}  // namespace ssd
