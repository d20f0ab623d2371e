// Detections as JSON, in COCO's result format.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "eval/coco_eval.h"
#include "eval/detector.h"

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

// An image and how the network's labels are called in its annotations.
struct ImageInfo {
  std::int64_t id = 0;
  int width = 0, height = 0;                   // pixels
  std::span<const std::int64_t> category_ids;  // of labels 1, 2, ...
};

// A detection in the image's pixels and COCO's ids. Throws Error for a label without a category.
DetectedBox to_coco(const Detection& detection, const ImageInfo& image);

}  // namespace ssd
