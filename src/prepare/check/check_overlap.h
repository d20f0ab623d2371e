// Images that lie in two splits of a data set: what was trained on tells nothing in an evaluation.
#pragma once

#include <filesystem>
#include <vector>

#include "prepare/check/check.h"

namespace ssd {

// Appends a finding for each file of `validation` that is a file of `training`, or has the bytes of one.
// Files are read only where another is of the same size; what cannot be read is nobody's copy.
void find_overlap(const std::vector<std::filesystem::path>& training,
                  const std::vector<std::filesystem::path>& validation, std::vector<CheckFinding>& findings);

}  // namespace ssd
