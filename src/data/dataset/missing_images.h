// Which of a data set's images are not there at all: to be told before work begins.
#pragma once

#include <cstddef>
#include <string>

#include "data/dataset/dataset.h"

namespace ssd {

struct MissingImages {
  std::size_t count = 0;
  std::string first;  // path of the first one
};

// Looks for the files, not into them; images in a record cache are there.
MissingImages missing_images(const Dataset& dataset);

}  // namespace ssd
