#include "data/loader/mosaic.h"

#include <cmath>

#include "boxes/ssd300.h"

namespace ssd {

Mosaic random_mosaic(Random& random, std::uint32_t samples, const MosaicOptions& options) {
  const auto meet = [&] {
    return static_cast<int>(std::lround(image_size * random.uniform(options.min_centre, options.max_centre)));
  };
  const int x = meet();
  const int y = meet();
  Mosaic mosaic;
  mosaic.tiles = {{{0, 0, x, y}, {x, 0, image_size, y}, {0, y, x, image_size}, {x, y, image_size, image_size}}};
  for (std::uint32_t& other : mosaic.others) other = static_cast<std::uint32_t>(random.below(samples));
  return mosaic;
}

}  // namespace ssd
