// Detections as JSON, in COCO's result format.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "eval/coco_eval.h"

namespace ssd {

// Entries that are left out of a list of detections.
struct DetectionFaults {
  std::size_t count = 0;
  std::vector<std::string> first;  // what is wrong with the first few: "byte 17 (line 1): detection 0: ..."
};

// Ids that a file writes as texts.
struct IdTexts {
  using Texts = std::unordered_map<std::int64_t, std::string>;
  Texts images, categories;
};

// The detections of `[{"image_id": 1, "category_id": 2, "bbox": [left, top, width, height], "score": 0.5},
// ...]` in the order of the file, or of the (last) "annotations" list of an object. Other fields are skipped.
// Ids may be texts (id_of_text()); numbers may be what Python writes, NaN and Infinity. The path
// may be a pipe. Throws Error naming the file, the byte and the line where it cannot be read. An entry with a
// missing or mistyped field is one as well unless `faults` is given, which takes it; a text that is no list,
// or of which no entry remains, always is.
std::vector<DetectedBox> read_detections(const std::string& path, DetectionFaults* faults = nullptr);

// The same of a text in memory; `name` stands for the file in messages.
std::vector<DetectedBox> parse_detections(std::string text, const std::string& name,
                                          DetectionFaults* faults = nullptr);

// The texts that a file of detections has for ids; nothing where it is no regular file, or cannot be read.
IdTexts id_texts_of(const std::string& path);

// The id for people: 7, "a.jpg", or that it is a text.
std::string id_words(std::int64_t id, const IdTexts::Texts& texts);

// One detection a line. Reading the text back gives the same numbers to the last bit. Throws Error for
// numbers that are not finite. Ids that are among `texts` are written so.
std::string write_detections(std::span<const DetectedBox> detections, const IdTexts& texts = {});

}  // namespace ssd
