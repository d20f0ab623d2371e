// A split of a COCO data set as it lies on the disk.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "data/dataset/coco.h"
#include "data/dataset/dataset.h"
#include "data/dataset/locate_images.h"

namespace ssd {

// The annotations, with what they leave open or say wrongly of their image files put right, and one image and
// one category of each id (settle_ids()).
struct CocoSplit {
  CocoFile coco;  // every image has a size; names lead from the image folder to the file that is meant
  LocatedImages located;              // names that did not
  std::vector<std::string> measured;  // "a.jpg is 640x480": of images without a size in the annotations
};

// Sizes that are missing are taken from the files' headers, as stored: boxes drawn on a rotated display need
// a size to show it. An image of which neither tells a size goes to the annotations' `left_out`. Throws Error
// as read_coco does, by default where an entry is broken past use alone.
CocoSplit read_coco_split(const CocoPaths& paths, const CocoReadOptions& options = {});

}  // namespace ssd
