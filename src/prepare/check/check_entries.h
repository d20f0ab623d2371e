// The part of a check that tells what reading a split left out or mended.
#pragma once

#include <string>
#include <vector>

#include "data/dataset/coco_split.h"
#include "prepare/check/check.h"

namespace ssd {

// Appends all of it; `file` stands for the annotation file in the findings' places.
void add_split_findings(const CocoSplit& split, const std::string& file, std::vector<CheckFinding>& findings);

}  // namespace ssd
