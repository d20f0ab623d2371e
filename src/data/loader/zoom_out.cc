#include "data/loader/zoom_out.h"

namespace ssd {

Box random_zoom_out(Random& random, const ZoomOutOptions& options) {
  if (!random.coin(options.probability)) return {0, 0, 1, 1};
  const double side = random.uniform(options.min_side, options.max_side);
  const double left = -random.uniform(0, side - 1);
  const double top = -random.uniform(0, side - 1);
  return {static_cast<float>(left), static_cast<float>(top), static_cast<float>(left + side),
          static_cast<float>(top + side)};
}

}  // namespace ssd
