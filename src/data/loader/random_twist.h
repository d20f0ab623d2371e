// Random changes of colour.
#pragma once

#include "base/random.h"
#include "image/colour.h"

namespace ssd {

// The recipe's: hue -0.5..0.5 degrees, saturation 0.5..1.5, brightness 0.875..1.125, contrast 0.5..1.5.
ColourTwist recipe_twist(Random& random);

// The numbers of torchvision's RandomPhotometricDistort: hue -18..18 degrees, the other ranges as above, and
// the three colours in another order (of the six, any), each of the five with probability 1/2. They are
// applied by the recipe's colour map: the hue turns in the plane of YIQ and not of HSV, and the contrast is
// that about 128 and not about the image's mean.
ColourTwist strong_twist(Random& random);

}  // namespace ssd
