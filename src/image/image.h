// Images in memory.
#pragma once

#include <cstdint>
#include <vector>

#include "image/exif.h"

namespace ssd {

// height x width x 3, RGB, rows without gaps.
struct Image {
  int width = 0;
  int height = 0;
  std::vector<std::uint8_t> rgb;
};

// The stored image in that orientation: upright, where it is the EXIF tag's.
Image oriented(Image stored, const Orientation& orientation);

}  // namespace ssd
