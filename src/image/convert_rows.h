// Rows of pixels as files hold them, to RGB.
#pragma once

#include <cstdint>

namespace ssd {

// Pixels begin ... end - 1 of a row of RGBA become RGB in place, laid over white:
// (value * alpha + 255 * (255 - alpha)) / 255, rounded. Pixel x is then at 3 * x.
void lay_over_white(std::uint8_t* row, int begin, int end);

// RGBA whose colours were multiplied by alpha, pixels 0 ... width - 1, to RGBA with those they had before:
// 255 * value / alpha rounded down, 255 at most, as Pillow does it; where alpha is 0 all stay as they are.
void unpremultiply(std::uint8_t* row, int width);

// Which value of a CMYK sample is full ink: JPEG files have 0, as Adobe's do.
enum class FullInk { at_0, at_255 };

// `width` pixels of CMYK become RGB in place, without a colour profile, as Pillow's convert("RGB") does it:
// (255 - ink) * (255 - black) / 255, rounded.
void cmyk_to_rgb(std::uint8_t* row, int width, FullInk full_ink);

}  // namespace ssd
