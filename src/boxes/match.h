// Matching of default boxes with the boxes of an image: which default box learns which object.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "boxes/box.h"
#include "boxes/default_boxes.h"

namespace ssd {

// Working memory of match(), one a thread. It grows at the first calls only.
class MatchScratch {
 public:
  std::vector<float> best_iou;         // (8732 + padding): the largest overlap above the threshold so far
  std::vector<std::int32_t> which;     // (8732 + padding): the box it is with, or -1
  std::vector<std::uint32_t> closest;  // a box: the default box that overlaps it most
};

// Default boxes that overlap a box by more than this (IoU) are matched with it.
inline constexpr float match_threshold = 0.5f;

// matched[i] = index into `boxes` of the box that default box i is matched with, or -1 (SSD paper,
// section 2.2): the box it overlaps most, if by more than 0.5 (the first of equals); besides, every box is
// given the default box that overlaps it most (the first of equals), a later box winning over an earlier one.
// boxes: left <= right and top <= bottom. matched: (8732). The bits of float32 arithmetic without fused
// multiply-add decide, on every processor alike.
void match(std::span<const Box> boxes, const DefaultBoxes& defaults, std::span<std::int32_t> matched,
           MatchScratch& scratch);

}  // namespace ssd
