// Detections as JSON, in COCO's result format.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "eval/coco_eval.h"

namespace ssd {

// The detections of `[{"image_id": 1, "category_id": 2, "bbox": [left, top, width, height], "score": 0.5},
// ...]` in the order of the file, or of the (last) "annotations" list of an object. Other fields are skipped.
// The path may be a pipe. Throws Error naming the file, the byte and the line where it cannot be read.
std::vector<DetectedBox> read_detections(const std::string& path);

// The same of a text in memory; `name` stands for the file in messages.
std::vector<DetectedBox> parse_detections(std::string text, const std::string& name);

// One detection a line. Reading the text back gives the same numbers to the last bit. Throws Error for
// numbers that are not finite.
std::string write_detections(std::span<const DetectedBox> detections);

}  // namespace ssd
