// Four images in one: more and smaller objects, among strangers.
#pragma once

#include <array>
#include <cstdint>

#include "base/random.h"
#include "image/pixel_rect.h"

namespace ssd {

// After YOLOv4 (Bochkovskiy et al., 2020, section 3.3): four training images meet in a point. There the
// images keep their aspect and are cut; here each fills its quarter, as images fill the input of this network.
struct MosaicOptions {
  double probability = 0.5;  // so that half of the images are as large as those that are looked at later
  double min_centre = 0.25;  // of the point where the images meet, in the network input's width and height
  double max_centre = 0.75;
};

struct Mosaic {
  // The sample's own first: left upper, right upper, left lower and right lower quarter.
  std::array<PixelRect, 4> tiles;
  std::array<std::uint32_t, 3> others;  // samples for the other tiles; any, the sample itself too
};

// Of `samples` samples, all alike.
Mosaic random_mosaic(Random& random, std::uint32_t samples, const MosaicOptions& options = {});

}  // namespace ssd
