// Greedy non-maximum suppression.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "boxes/box.h"

namespace ssd {

// Working memory of nms(), one a thread.
class NmsScratch {
 public:
  std::vector<float> left, top, right, bottom, areas;
  std::vector<std::uint8_t> suppressed;
};

// Indices, in ascending order, of the boxes that stay: a box goes when one before it stays and overlaps it by
// more than `threshold` (IoU). boxes: by falling score.
void nms(std::span<const Box> boxes, float threshold, NmsScratch& scratch, std::vector<std::size_t>& kept);

}  // namespace ssd
