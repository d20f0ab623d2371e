// A box of the training set and what it shows.
#pragma once

#include <cstdint>

#include "boxes/box.h"

namespace ssd {

struct LabeledBox {
  Box box;                 // normalized coordinates
  std::int32_t label = 0;  // 1 .. classes - 1; 0 is the background
};

}  // namespace ssd
