// A larger canvas with the image somewhere on it: objects become smaller.
#pragma once

#include <array>
#include <cstdint>

#include "base/random.h"
#include "boxes/box.h"
#include "boxes/ssd300.h"

namespace ssd {

// The numbers are those of torchvision's RandomZoomOut, which are those of the SSD paper (Liu et al., 2016,
// section 3.6: "zoom out", up to 16 times the area).
struct ZoomOutOptions {
  double probability = 0.5;
  double min_side = 1;  // of the canvas, in image widths and heights; the same for both
  double max_side = 4;
};

// What lies on the canvas beside the image: the mean colour that the network's input is normalized by.
inline constexpr std::array<std::uint8_t, 3> zoom_out_fill = {
    static_cast<std::uint8_t>(255 * pixel_mean[0] + 0.5), static_cast<std::uint8_t>(255 * pixel_mean[1] + 0.5),
    static_cast<std::uint8_t>(255 * pixel_mean[2] + 0.5)};

// The canvas, relative to the image (ltrb; the image is 0..1): its side is uniform, and so is the place of
// the image on it. The image itself where chance does not zoom.
Box random_zoom_out(Random& random, const ZoomOutOptions& options = {});

}  // namespace ssd
