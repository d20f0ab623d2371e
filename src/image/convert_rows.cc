#include "image/convert_rows.h"

#include <algorithm>
#include <cstddef>

namespace ssd {

void lay_over_white(std::uint8_t* row, int begin, int end) {
  for (int x = begin; x < end; ++x) {
    const std::uint8_t* from = row + 4 * static_cast<std::ptrdiff_t>(x);
    std::uint8_t* to = row + 3 * static_cast<std::ptrdiff_t>(x);
    const unsigned alpha = from[3], white = 255u * (255u - alpha);
    for (int c = 0; c < 3; ++c) to[c] = static_cast<std::uint8_t>((from[c] * alpha + white + 127) / 255);
  }
}

void unpremultiply(std::uint8_t* row, int width) {
  for (int x = 0; x < width; ++x) {
    std::uint8_t* const pixel = row + 4 * static_cast<std::ptrdiff_t>(x);
    const unsigned alpha = pixel[3];
    if (alpha == 0 || alpha == 255) continue;
    for (int c = 0; c < 3; ++c) pixel[c] = static_cast<std::uint8_t>(std::min(255u, 255u * pixel[c] / alpha));
  }
}

void cmyk_to_rgb(std::uint8_t* row, int width, FullInk full_ink) {
  const unsigned flip = full_ink == FullInk::at_0 ? 0u : 255u;
  for (int x = 0; x < width; ++x) {
    const std::uint8_t* from = row + 4 * static_cast<std::ptrdiff_t>(x);
    const unsigned black = from[3] ^ flip;
    std::uint8_t* to = row + 3 * static_cast<std::ptrdiff_t>(x);
    for (int c = 0; c < 3; ++c) to[c] = static_cast<std::uint8_t>(((from[c] ^ flip) * black + 127) / 255);
  }
}

}  // namespace ssd
