// Why COCO's numbers may not be what somebody expects of a data set and detections.
#pragma once

#include <string>
#include <vector>

#include "data/dataset/coco.h"
#include "eval/coco_eval.h"
#include "eval/detections_json.h"

namespace ssd {

// A line each: no objects at all (AP -1), annotation ids that the evaluation misreads (0, or repeated),
// images with more objects of a category than detections are counted, detections of categories that are not
// listed, objects of categories that nothing was detected of. `texts`: of the detections' ids.
std::vector<std::string> evaluation_notes(const CocoFile& truth, const std::vector<DetectedBox>& detections,
                                          const CocoLimits& limits = coco_limits, const IdTexts& texts = {});

}  // namespace ssd
