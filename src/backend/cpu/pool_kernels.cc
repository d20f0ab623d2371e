#include "backend/cpu/pool_kernels.h"

#include <algorithm>
#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/pool_kernels.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "backend/cpu/bf16_vectors.h"

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

// A vector of y at one cell: `lane` is the vector's first channel, cells lie `stride` elements apart.
template <typename T, class D>
HWY_INLINE void pool_vector(D d, const Window& w, std::int64_t columns, std::int64_t stride, const T* x,
                            T* y) {
  auto best = load(d, x + (w.first_row * columns + w.first_column) * stride);
  for (std::int64_t r = w.first_row; r < w.last_row; ++r)
    for (std::int64_t c = w.first_column; c < w.last_column; ++c) {
      const auto value = load(d, x + (r * columns + c) * stride);
      best = hn::IfThenElse(hn::Gt(value, best), value, best);
    }
  store(best, d, y);
}

// Gives the gradient of a vector of one cell to the first maxima of its window.
template <typename T, class D>
HWY_INLINE void spread_vector(D d, const Window& w, std::int64_t columns, std::int64_t stride, const T* x,
                              hn::Vec<D> most, hn::Vec<D> gradient, T* dx) {
  for (std::int64_t r = w.first_row; r < w.last_row; ++r)
    for (std::int64_t c = w.first_column; c < w.last_column; ++c) {
      const std::int64_t at = (r * columns + c) * stride;
      const auto hit = hn::Eq(load(d, x + at), most);
      store(hn::Add(load(d, dx + at), hn::IfThenElseZero(hit, gradient)), d, dx + at);
      gradient = hn::IfThenZeroElse(hit, gradient);  // it is given away
    }
}

template <int B>
void pool(const PoolPlane& p, const float* x, float* y) {
  const Tag<B> d;
  for (std::int64_t i = 0; i < p.out_rows; ++i)
    for (std::int64_t j = 0; j < p.out_columns; ++j) {
      const Window w = window_at(p, i, j);
      for (std::int64_t lane = 0; lane < B; lane += static_cast<std::int64_t>(hn::Lanes(d)))
        pool_vector(d, w, p.columns, B, x + lane, y + (i * p.out_columns + j) * B + lane);
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
        spread_vector(d, w, p.columns, B, x + lane, hn::LoadU(d, y + at), hn::LoadU(d, dy + at), dx + lane);
      }
    }
}

// Calls body(d, lane) for `count` channels from `first` on, a vector at a time and the rest one by one.
template <class Body>
HWY_INLINE void for_channels(std::int64_t first, std::int64_t count, const Body& body) {
  const hn::CappedTag<float, 16> d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  std::int64_t lane = first;
  for (; lane + lanes <= first + count; lane += lanes) body(d, lane);
  for (; lane < first + count; ++lane) body(hn::CappedTag<float, 1>(), lane);
}

void PoolRowOfBf16(const PoolPlane& p, std::int64_t i, const std::uint16_t* x, std::uint16_t* y) {
  for (std::int64_t j = 0; j < p.out_columns; ++j) {
    const Window w = window_at(p, i, j);
    std::uint16_t* to = y + (i * p.out_columns + j) * p.block;
    for_channels(0, p.block, [&](auto d, std::int64_t lane) HWY_ATTR {
      pool_vector(d, w, p.columns, p.block, x + lane, to + lane);
    });
  }
}

void PoolGradientOfBf16(const PoolPlane& p, const PoolGradientBf16& part) {
  for (std::int64_t cell = 0; cell < p.rows * p.columns; ++cell)
    std::fill_n(part.dx + cell * p.block + part.first, part.count, std::uint16_t{0});
  for (std::int64_t i = 0; i < p.out_rows; ++i)
    for (std::int64_t j = 0; j < p.out_columns; ++j) {
      const Window w = window_at(p, i, j);
      for_channels(part.first, part.count, [&](auto d, std::int64_t lane) HWY_ATTR {
        const std::int64_t at = (i * p.out_columns + j) * p.block + lane;
        spread_vector(d, w, p.columns, p.block, part.x + lane, load(d, part.y + at), load(d, part.dy + at),
                      part.dx + lane);
      });
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
HWY_EXPORT(PoolRowOfBf16);
HWY_EXPORT(PoolGradientOfBf16);

void pool_plane(const PoolPlane& plane, const float* x, float* y) { HWY_DYNAMIC_DISPATCH(Pool)(plane, x, y); }
void pool_row_of_bytes(const PoolPlane& plane, std::int64_t i, const std::uint8_t* x, std::uint8_t* y) {
  HWY_DYNAMIC_DISPATCH(PoolRowOfBytes)(plane, i, x, y);
}
void pool_gradient_plane(const PoolPlane& plane, const float* x, const float* y, const float* dy, float* dx) {
  HWY_DYNAMIC_DISPATCH(PoolGradient)(plane, x, y, dy, dx);
}
void pool_row_of_bf16(const PoolPlane& plane, std::int64_t i, const std::uint16_t* x, std::uint16_t* y) {
  HWY_DYNAMIC_DISPATCH(PoolRowOfBf16)(plane, i, x, y);
}
void pool_gradient_of_bf16(const PoolPlane& plane, const PoolGradientBf16& part) {
  HWY_DYNAMIC_DISPATCH(PoolGradientOfBf16)(plane, part);
}

}  // namespace ssd::cpu
#endif
