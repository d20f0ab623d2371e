// The classes' names on drawings.
#pragma once

#include <span>

#include "data/dataset/coco.h"

namespace ssd::cli {

// Says which names drawings cannot show for want of a font, so that they show the classes' numbers.
void tell_names_not_drawn(std::span<const CocoCategory> categories);

}  // namespace ssd::cli
