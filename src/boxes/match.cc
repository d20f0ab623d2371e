#include "boxes/match.h"

#include <algorithm>
#include <array>
#include <cassert>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "boxes/match.cc"
#include <hwy/foreach_target.h>
// After foreach_target.h
#include <hwy/highway.h>

// Overlaps are computed only where they can matter: a default box of another size than the object's cannot
// reach the threshold, nor can one beside it. Within a grid the widths of the intersections depend on the
// column alone and the heights on the row alone, so an overlap costs one multiplication and one division.

HWY_BEFORE_NAMESPACE();
namespace ssd {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

const hn::CappedTag<float, DefaultBoxes::padding> lanes_f32;
const hn::RebindToSigned<decltype(lanes_f32)> lanes_i32;
using Floats = hn::Vec<decltype(lanes_f32)>;
using Ints = hn::Vec<decltype(lanes_i32)>;

// Intersections of one box with the columns (or rows) of a grid, and the range where there is any.
struct Extents {
  std::array<float, static_cast<std::size_t>(map_sizes[0]) + DefaultBoxes::padding> length{};
  std::size_t begin = 0, end = 0;
};

// low, high: the sides of the grid's first column (or row); the next ones lie `stride` elements on.
void intersect(const float* low, const float* high, std::size_t stride, float from, float to, Extents& out,
               std::size_t size) {
  out.begin = size;
  out.end = 0;
  for (std::size_t i = 0; i < size; ++i) {
    const float length = std::min(high[i * stride], to) - std::max(low[i * stride], from);
    out.length[i] = std::max(length, 0.0f);
    if (length > 0) {
      out.begin = std::min(out.begin, i);
      out.end = i + 1;
    }
  }
  std::fill_n(out.length.begin() + static_cast<std::ptrdiff_t>(size), DefaultBoxes::padding, 0.0f);
}

struct Closest {
  float iou = 0;
  std::uint32_t index = 0;

  void offer(float other_iou, std::uint32_t other_index) {
    if (other_iou > iou || (other_iou == iou && other_index < index)) {
      iou = other_iou;
      index = other_index;
    }
  }
};

// The overlaps of one box with the default boxes of one grid.
void match_grid(const Box& box, std::int32_t box_index, const DefaultBoxes& defaults,
                const DefaultBoxes::Grid& grid, MatchScratch& scratch, Closest& closest) {
  Extents columns, rows;
  intersect(defaults.left() + grid.first, defaults.right() + grid.first, 1, box.left, box.right, columns,
            grid.size);
  intersect(defaults.top() + grid.first, defaults.bottom() + grid.first, grid.size, box.top, box.bottom, rows,
            grid.size);
  const std::size_t step = hn::Lanes(lanes_f32);
  const Floats box_area = hn::Set(lanes_f32, area(box));
  const Ints index_of_box = hn::Set(lanes_i32, box_index);
  Floats top_iou = hn::Zero(lanes_f32);
  Ints top_index = hn::Zero(lanes_i32);
  for (std::size_t row = rows.begin; row < rows.end; ++row) {
    const Floats height = hn::Set(lanes_f32, rows.length[row]);
    const std::size_t base = grid.first + row * grid.size;
    for (std::size_t column = columns.begin; column < columns.end; column += step) {
      const std::size_t i = base + column;
      const Floats intersection = hn::Mul(hn::LoadU(lanes_f32, &columns.length[column]), height);
      const Floats both = hn::Add(box_area, hn::LoadU(lanes_f32, defaults.areas() + i));
      const Floats iou = hn::Div(intersection, hn::Sub(both, intersection));
      const Floats best = hn::LoadU(lanes_f32, &scratch.best_iou[i]);
      const auto better = hn::Gt(iou, best);
      if (!hn::AllFalse(lanes_f32, better)) {
        hn::StoreU(hn::IfThenElse(better, iou, best), lanes_f32, &scratch.best_iou[i]);
        const Ints which = hn::LoadU(lanes_i32, &scratch.which[i]);
        hn::StoreU(hn::IfThenElse(hn::RebindMask(lanes_i32, better), index_of_box, which), lanes_i32,
                   &scratch.which[i]);
      }
      const auto higher = hn::Gt(iou, top_iou);
      top_iou = hn::IfThenElse(higher, iou, top_iou);
      top_index = hn::IfThenElse(hn::RebindMask(lanes_i32, higher),
                                 hn::Iota(lanes_i32, static_cast<std::int32_t>(i)), top_index);
    }
  }
  std::array<float, DefaultBoxes::padding> iou_of_lane;
  std::array<std::int32_t, DefaultBoxes::padding> index_of_lane;
  hn::StoreU(top_iou, lanes_f32, iou_of_lane.data());
  hn::StoreU(top_index, lanes_i32, index_of_lane.data());
  for (std::size_t lane = 0; lane < step; ++lane) {
    closest.offer(iou_of_lane[lane], static_cast<std::uint32_t>(index_of_lane[lane]));
  }
}

// No default box of the grid overlaps the box by more than this: rounding is monotonic, so the same
// arithmetic on the largest possible intersection bounds it exactly.
float bound_of(const Box& box, const DefaultBoxes::Grid& grid) {
  const float width = std::max(std::min(box.right - box.left, grid.width), 0.0f);
  const float height = std::max(std::min(box.bottom - box.top, grid.height), 0.0f);
  const float intersection = width * height;
  return intersection / (area(box) + grid.area - intersection);
}

void match_boxes(std::span<const Box> boxes, const DefaultBoxes& defaults, MatchScratch& scratch) {
  const std::span<const DefaultBoxes::Grid> grids = defaults.grids();
  std::array<float, 32> bounds;
  assert(grids.size() <= bounds.size());
  for (std::size_t g = 0; g < boxes.size(); ++g) {
    std::size_t promising = 0;
    for (std::size_t k = 0; k < grids.size(); ++k) {
      bounds[k] = bound_of(boxes[g], grids[k]);
      if (bounds[k] > bounds[promising]) promising = k;
    }
    const auto index = static_cast<std::int32_t>(g);
    Closest closest;
    match_grid(boxes[g], index, defaults, grids[promising], scratch, closest);
    for (std::size_t k = 0; k < grids.size(); ++k) {
      if (k == promising || (bounds[k] <= match_threshold && bounds[k] < closest.iou)) continue;
      match_grid(boxes[g], index, defaults, grids[k], scratch, closest);
    }
    scratch.closest[g] = closest.index;
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace ssd
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ssd {
namespace {
HWY_EXPORT(match_boxes);
}  // namespace

void match(std::span<const Box> boxes, const DefaultBoxes& defaults, std::span<std::int32_t> matched,
           MatchScratch& scratch) {
  assert(matched.size() == default_box_count);
  scratch.best_iou.assign(default_box_count + DefaultBoxes::padding, match_threshold);
  scratch.which.assign(default_box_count + DefaultBoxes::padding, -1);
  scratch.closest.resize(boxes.size());
  HWY_DYNAMIC_DISPATCH(match_boxes)(boxes, defaults, scratch);
  std::copy_n(scratch.which.begin(), matched.size(), matched.begin());
  for (std::size_t g = 0; g < boxes.size(); ++g) matched[scratch.closest[g]] = static_cast<std::int32_t>(g);
}

}  // namespace ssd
#endif
