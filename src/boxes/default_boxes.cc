#include "boxes/default_boxes.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>

namespace ssd {
namespace {

constexpr double figure = image_size;
constexpr std::array<double, 6> steps{8, 16, 32, 64, 100, 300};
constexpr std::array<double, 7> scales{21, 45, 99, 153, 207, 261, 315};

float to_unit(double value) { return std::clamp(static_cast<float>(value), 0.0f, 1.0f); }

}  // namespace

DefaultBoxes::DefaultBoxes() {
  centers_.reserve(default_box_count);
  for (std::size_t map = 0; map < map_sizes.size(); ++map) {
    const double small = scales[map] / figure;
    const double large = scales[map + 1] / figure;
    const double middle = std::sqrt(small * large);
    add_grid(map, small, small);
    add_grid(map, middle, middle);
    for (int aspect = 2; 2 * aspect <= boxes_per_cell[map]; ++aspect) {
      const double root = std::sqrt(static_cast<double>(aspect));
      add_grid(map, small * root, small / root);
      add_grid(map, small / root, small * root);
    }
  }
  assert(centers_.size() == default_box_count);
  derive();
}

void DefaultBoxes::add_grid(std::size_t map, double width, double height) {
  const int size = map_sizes[map];
  const double cells = figure / steps[map];
  grids_.push_back({.first = centers_.size(), .size = static_cast<std::size_t>(size)});
  for (int row = 0; row < size; ++row) {
    for (int column = 0; column < size; ++column) {
      centers_.push_back(
          {to_unit((column + 0.5) / cells), to_unit((row + 0.5) / cells), to_unit(width), to_unit(height)});
    }
  }
}

void DefaultBoxes::derive() {
  const std::size_t padded = centers_.size() + padding;
  for (auto* array : {&left_, &top_, &right_, &bottom_, &areas_}) array->resize(padded);
  for (std::size_t i = 0; i < centers_.size(); ++i) {
    const Box box = to_corners(centers_[i]);
    corners_.push_back(box);
    left_[i] = box.left;
    top_[i] = box.top;
    right_[i] = box.right;
    bottom_[i] = box.bottom;
    areas_[i] = area(box);
  }
  for (Grid& grid : grids_) {
    grid.area = areas_[grid.first];
    for (std::size_t i = grid.first; i < grid.first + grid.size * grid.size; ++i) {
      grid.width = std::max(grid.width, right_[i] - left_[i]);
      grid.height = std::max(grid.height, bottom_[i] - top_[i]);
      grid.area = std::min(grid.area, areas_[i]);
    }
  }
}

const DefaultBoxes& ssd300_default_boxes() {
  static const DefaultBoxes boxes;
  return boxes;
}

}  // namespace ssd
