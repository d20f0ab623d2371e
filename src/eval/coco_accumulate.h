// From matched detections to precision and recall. Internal to the evaluation.
#pragma once

#include <array>
#include <cstddef>
#include <vector>

#include "eval/coco_eval.h"
#include "eval/coco_match.h"

namespace ssd {

// One category's share of a CocoEvalResult; -1 where it has no object of the area.
struct CategoryCurves {
  static constexpr std::size_t settings = coco_area_count * coco_limit_count;  // A * M

  std::vector<double> precision = std::vector<double>(coco_iou_count * coco_recall_count * settings, -1.0);
  std::vector<double> recall = std::vector<double>(coco_iou_count * settings, -1.0);  // (T, A, M)
  std::vector<double> scores = precision;                                             // (T, R, A, M)
};

// Of all images, or of those with objects alone. The detections stand by falling score.
CategoryCurves accumulate(const CategoryMatches& matches, const CocoSettings& settings,
                          CocoEvaluation::Images images);

}  // namespace ssd
