// The 80 classes of COCO 2017, whose ids leave gaps up to 90.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "data/dataset/coco.h"

namespace ssd {

// Categories of classes known by name alone, label 1 first: with COCO's ids where the names are COCO's 80 in
// any order, else numbered from 1.
std::vector<CocoCategory> categories_of(std::span<const std::string> names);

}  // namespace ssd
