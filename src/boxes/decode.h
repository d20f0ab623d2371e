// Network offsets to boxes and back.
#pragma once

#include <array>

#include "boxes/box.h"

namespace ssd {

// Offsets of a box from a default box, scaled by scale_xy and scale_wh as the network predicts them:
// dcx, dcy, log width, log height (SSD paper, equation 2).
using Offsets = std::array<float, 4>;

// The box that the offsets say. It may leave the image.
Box decode(const Offsets& offsets, const CenterBox& default_box);

// The offsets that decode to the box. Its width and height must be above zero.
Offsets encode(const CenterBox& box, const CenterBox& default_box);

}  // namespace ssd
