// The part of a check that needs the annotation file alone.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "data/dataset/coco.h"
#include "prepare/check/check.h"

namespace ssd {

// Appends what is wrong in the annotations; `file` stands for the annotation file in the findings' places.
void find_annotation_problems(const CocoFile& coco, const std::string& file,
                              std::vector<CheckFinding>& findings);

// Boxes that data sets take: of a known image and category, with an area that remains within the image.
std::size_t usable_boxes(const CocoFile& coco);

// Counts and sizes of images and boxes.
void summarize_annotations(const CocoFile& coco, CheckSummary& summary);

}  // namespace ssd
