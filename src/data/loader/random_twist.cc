#include "data/loader/random_twist.h"

#include <array>

namespace ssd {

ColourTwist recipe_twist(Random& random) {
  ColourTwist twist;
  twist.hue_degrees = random.uniform(-0.5, 0.5);
  twist.saturation = random.uniform(0.5, 1.5);
  twist.brightness = random.uniform(0.875, 1.125);
  twist.contrast = random.uniform(0.5, 1.5);
  return twist;
}

ColourTwist strong_twist(Random& random) {
  constexpr std::array<std::array<std::uint8_t, 3>, 6> orders = {
      {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}}};
  ColourTwist twist;
  if (random.coin(0.5)) twist.hue_degrees = random.uniform(-18, 18);
  if (random.coin(0.5)) twist.saturation = random.uniform(0.5, 1.5);
  if (random.coin(0.5)) twist.brightness = random.uniform(0.875, 1.125);
  if (random.coin(0.5)) twist.contrast = random.uniform(0.5, 1.5);
  if (random.coin(0.5)) twist.order = orders[random.below(orders.size())];
  return twist;
}

}  // namespace ssd
