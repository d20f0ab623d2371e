// The recipe's colour twist.
#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace ssd {

// What to do to an image's colours; as it is, nothing.
struct ColourTwist {
  double hue_degrees = 0;  // rotation of the chroma plane of YIQ (NTSC), from Q towards I
  double saturation = 1;   // factor of chroma
  double brightness = 1;   // factor of everything, after the contrast
  double contrast = 1;     // factor of the distance from 128
  std::array<std::uint8_t, 3> order = {0, 1, 2};  // which component of the result goes to R, G and B
};

// Applies a twist to RGB pixels in place. All of it is one affine map of the three components, as DALI's
// `hsv` followed by `brightness_contrast` with a contrast centre of 128; rounded and clamped to 0..255 once,
// at the end. The result does not depend on the processor.
void twist(std::span<std::uint8_t> rgb, const ColourTwist& twist);

}  // namespace ssd
