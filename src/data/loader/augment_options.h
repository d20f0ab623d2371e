// Which changes training images get, and how a list of names says so.
#pragma once

#include <string>
#include <string_view>

namespace ssd {

// The recipe's three are on, all others off.
struct AugmentOptions {
  bool crop = true;
  bool flip = true;  // with probability 1/2
  // Hue -0.5..0.5 degrees, saturation 0.5..1.5, brightness 0.875..1.125, contrast 0.5..1.5.
  bool colour = true;
  bool mosaic = false;         // with probability 1/2 (mosaic.h)
  bool zoom_out = false;       // with probability 1/2 (zoom_out.h)
  int crop_attempts = 1;       // of random_crop.h; "crop-retry" is a crop with 50
  bool vertical_flip = false;  // with probability 1/2
  bool strong_colour = false;  // in place of the numbers above those of random_twist.h; needs `colour`

  bool operator==(const AugmentOptions&) const = default;
};

// A list of names with commas between them: crop, flip, colour, mosaic, zoom-out, crop-retry (in place of
// crop), vertical-flip, strong-colour (in place of colour); or all (crop,flip,colour, the recipe's) and
// crop-flip, which may have names beside them; or none, alone. Throws Error with all names for another.
AugmentOptions augment_options(std::string_view names);

// The same list for the same options: a shorthand, or names in the order in which images are changed.
std::string augment_text(const AugmentOptions& options);

// All names with commas between them, for help and messages.
std::string augment_names();

}  // namespace ssd
