#include "backend/cpu/pool_kernels.h"

#include <algorithm>
#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/pool_kernels.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace ssd::cpu::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

template <int B>
using Tag = hn::CappedTag<float, B>;

// The part of a window that lies on the image: rows and columns from first to last - 1.
struct Window {
  std::int64_t first_row, last_row, first_column, last_column;
};
Window window_at(const PoolPlane& p, std::int64_t i, std::int64_t j) {
  const std::int64_t row = i * p.stride - p.padding, column = j * p.stride - p.padding;
  return {std::max<std::int64_t>(row, 0), std::min(row + p.window, p.rows), std::max<std::int64_t>(column, 0),
          std::min(column + p.window, p.columns)};
}

template <int B>
void pool(const PoolPlane& p, const float* x, float* y) {
  const Tag<B> d;
  for (std::int64_t i = 0; i < p.out_rows; ++i)
    for (std::int64_t j = 0; j < p.out_columns; ++j) {
      const Window w = window_at(p, i, j);
      for (std::int64_t lane = 0; lane < B; lane += static_cast<std::int64_t>(hn::Lanes(d))) {
        auto best = hn::LoadU(d, x + (w.first_row * p.columns + w.first_column) * B + lane);
        for (std::int64_t r = w.first_row; r < w.last_row; ++r)
          for (std::int64_t c = w.first_column; c < w.last_column; ++c) {
            const auto value = hn::LoadU(d, x + (r * p.columns + c) * B + lane);
            best = hn::IfThenElse(hn::Gt(value, best), value, best);
          }
        hn::StoreU(best, d, y + (i * p.out_columns + j) * B + lane);
      }
    }
}

template <int B>
void pool_gradient(const PoolPlane& p, const float* x, const float* y, const float* dy, float* dx) {
  const Tag<B> d;
  std::memset(dx, 0, static_cast<std::size_t>(p.rows * p.columns * B) * sizeof(float));
  for (std::int64_t i = 0; i < p.out_rows; ++i)
    for (std::int64_t j = 0; j < p.out_columns; ++j) {
      const Window w = window_at(p, i, j);
      for (std::int64_t lane = 0; lane < B; lane += static_cast<std::int64_t>(hn::Lanes(d))) {
        const std::int64_t at = (i * p.out_columns + j) * B + lane;
        const auto most = hn::LoadU(d, y + at);
        auto gradient = hn::LoadU(d, dy + at);  // becomes zero once it is given away
        for (std::int64_t r = w.first_row; r < w.last_row; ++r)
          for (std::int64_t c = w.first_column; c < w.last_column; ++c) {
            const std::int64_t from = (r * p.columns + c) * B + lane;
            const auto hit = hn::Eq(hn::LoadU(d, x + from), most);
            hn::StoreU(hn::Add(hn::LoadU(d, dx + from), hn::IfThenElseZero(hit, gradient)), d, dx + from);
            gradient = hn::IfThenZeroElse(hit, gradient);
          }
      }
    }
}

// A block of at least one vector; the last vector may reach back into the one before it.
template <typename D>
void pool_cell_of_bytes(D d, const PoolPlane& p, const Window& w, const std::uint8_t* x, std::uint8_t* y) {
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  for (std::int64_t next = 0; next < p.block; next += lanes) {
    const std::int64_t lane = std::min(next, p.block - lanes);
    auto best = hn::Zero(d);
    for (std::int64_t r = w.first_row; r < w.last_row; ++r)
      for (std::int64_t c = w.first_column; c < w.last_column; ++c)
        best = hn::Max(best, hn::LoadU(d, x + (r * p.columns + c) * p.block + lane));
    hn::StoreU(best, d, y + lane);
  }
}

void PoolRowOfBytes(const PoolPlane& p, std::int64_t i, const std::uint8_t* x, std::uint8_t* y) {
  const hn::ScalableTag<std::uint8_t> whole;
  const hn::CappedTag<std::uint8_t, 1> single;
  for (std::int64_t j = 0; j < p.out_columns; ++j) {
    const Window w = window_at(p, i, j);
    std::uint8_t* to = y + (i * p.out_columns + j) * p.block;
    if (p.block >= static_cast<std::int64_t>(hn::Lanes(whole)))
      pool_cell_of_bytes(whole, p, w, x, to);
    else
      pool_cell_of_bytes(single, p, w, x, to);
  }
}

void Pool(const PoolPlane& p, const float* x, float* y) {
  p.block == 16 ? pool<16>(p, x, y) : pool<8>(p, x, y);
}
void PoolGradient(const PoolPlane& p, const float* x, const float* y, const float* dy, float* dx) {
  p.block == 16 ? pool_gradient<16>(p, x, y, dy, dx) : pool_gradient<8>(p, x, y, dy, dx);
}

}  // namespace
}  // namespace ssd::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ssd::cpu {

HWY_EXPORT(Pool);
HWY_EXPORT(PoolGradient);
HWY_EXPORT(PoolRowOfBytes);

void pool_plane(const PoolPlane& plane, const float* x, float* y) { HWY_DYNAMIC_DISPATCH(Pool)(plane, x, y); }
void pool_row_of_bytes(const PoolPlane& plane, std::int64_t i, const std::uint8_t* x, std::uint8_t* y) {
  HWY_DYNAMIC_DISPATCH(PoolRowOfBytes)(plane, i, x, y);
}
void pool_gradient_plane(const PoolPlane& plane, const float* x, const float* y, const float* dy, float* dx) {
  HWY_DYNAMIC_DISPATCH(PoolGradient)(plane, x, y, dy, dx);
}

}  // namespace ssd::cpu
#endif
