// Names of classes that people may have meant to be one.
#pragma once

#include <string>
#include <vector>

#include "data/dataset/coco.h"

namespace ssd {

// "Cat and cat": names that differ in capitals or in Unicode's normal form alone, each with the first such.
std::vector<std::string> names_alike(const std::vector<CocoCategory>& categories);

// "cat (1 and 3)": names that two categories share, with their ids.
std::vector<std::string> names_shared(const std::vector<CocoCategory>& categories);

}  // namespace ssd
