// Boxes that were not written as COCO has them: left, top, width, height in pixels.
#pragma once

#include <string>

#include "data/dataset/coco.h"

namespace ssd {

struct BoxFormat {
  enum class Kind {
    pixels,      // nothing speaks against it
    normalized,  // most boxes lie within the first pixel
    corners,     // many boxes reach outside their images, and few as left, top, right, bottom
  };
  Kind kind = Kind::pixels;
  std::string text;  // what speaks against pixels, and what to do; empty for them
};

// A guess, by all boxes of a file whose images have sizes.
BoxFormat guess_box_format(const CocoFile& coco);

}  // namespace ssd
