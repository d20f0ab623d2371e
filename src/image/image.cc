#include "image/image.h"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace ssd {

Image oriented(Image stored, const Orientation& orientation) {
  if (orientation == Orientation{}) return stored;
  Image out{stored.width, stored.height, {}};
  if (orientation.transpose) std::swap(out.width, out.height);
  out.rgb.resize(stored.rgb.size());
  std::uint8_t* to = out.rgb.data();
  for (int y = 0; y < out.height; ++y) {
    for (int x = 0; x < out.width; ++x, to += 3) {
      int column = orientation.flip_x ? out.width - 1 - x : x;
      int row = orientation.flip_y ? out.height - 1 - y : y;
      if (orientation.transpose) std::swap(column, row);
      const std::size_t pixel = static_cast<std::size_t>(row) * static_cast<std::size_t>(stored.width) +
                                static_cast<std::size_t>(column);
      std::copy_n(stored.rgb.data() + 3 * pixel, 3, to);
    }
  }
  return out;
}

}  // namespace ssd
