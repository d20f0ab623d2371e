// The default boxes of SSD300.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "boxes/box.h"
#include "boxes/ssd300.h"

namespace ssd {

// The 8732 default boxes of SSD300 v1.1 (Liu et al., "SSD: Single Shot MultiBox Detector", ECCV 2016, section
// 2.2, with the scales 21, 45, 99, 153, 207, 261, 315 of 300). Order: map, then box shape, then row, then
// column. cx, cy, width and height are clamped to 0..1; the corners follow from them and are not clamped.
class DefaultBoxes {
 public:
  // The boxes of one shape on one map: `size` x `size` of them, row by row, from index `first` on. All boxes
  // of a column share left and right, all of a row share top and bottom.
  struct Grid {
    std::size_t first = 0;
    std::size_t size = 0;
    // The largest width and height and the smallest area as computed from the rounded corners: bounds for
    // every box of the grid.
    float width = 0, height = 0, area = 0;
  };

  // Elements of left() ... areas() that may be read past the last box (zeros): a vector may overhang.
  static constexpr std::size_t padding = 16;

  DefaultBoxes();

  std::span<const CenterBox> centers() const { return centers_; }  // (8732)
  std::span<const Box> corners() const { return corners_; }        // (8732)
  std::span<const Grid> grids() const { return grids_; }           // (30)

  // The corners once more, a coordinate an array, and the areas computed from them: (8732), then `padding`.
  const float* left() const { return left_.data(); }
  const float* top() const { return top_.data(); }
  const float* right() const { return right_.data(); }
  const float* bottom() const { return bottom_.data(); }
  const float* areas() const { return areas_.data(); }

 private:
  void add_grid(std::size_t map, double width, double height);
  void derive();

  std::vector<CenterBox> centers_;
  std::vector<Box> corners_;
  std::vector<Grid> grids_;
  std::vector<float> left_, top_, right_, bottom_, areas_;
};

// The one set of default boxes, made at the first call.
const DefaultBoxes& ssd300_default_boxes();

}  // namespace ssd
