// What is settled about a COCO file once all of it is read.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string>

#include "data/dataset/coco.h"

namespace ssd {

// Leaves in `unlisted_ids` those of no image and no category.
void forget_listed_ids(CocoFile& coco);

// Of annotations without an id, while the file is read.
inline constexpr std::int64_t unnumbered = std::numeric_limits<std::int64_t>::min();

// Gives them ids that no other annotation has.
void number_annotations(CocoFile& coco);

// Leaves out the category that all others name as their supercategory and no annotation uses.
// `supercategories`: those of coco.categories.
void leave_out_root(std::span<const std::string> supercategories, CocoFile& coco);

// Leaves one image and one category of each id, as pycocotools' index does (COCO.createIndex): the last one,
// in the place of the first. Annotations stay with the id. Entries with another file or name are in
// `left_out`, the same again in `mended`.
void settle_ids(CocoFile& coco);

}  // namespace ssd
