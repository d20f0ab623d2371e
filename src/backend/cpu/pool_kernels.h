// Max pooling over planes of the blocked layout, [rows][columns][B].
#pragma once

#include <cstdint>

namespace ssd::cpu {

struct PoolPlane {
  std::int64_t rows = 0, columns = 0;          // of x
  std::int64_t out_rows = 0, out_columns = 0;  // of y
  std::int64_t window = 3, stride = 2, padding = 1;
  std::int64_t block = 8;  // B: 8 or 16
};

// y = the maximum over each window; padding never wins.
void pool_plane(const PoolPlane& plane, const float* x, float* y);
// Row `i` of y, of bytes, where a block may be of any size.
void pool_row_of_bytes(const PoolPlane& plane, std::int64_t i, const std::uint8_t* x, std::uint8_t* y);
// dx = dy at the first maximum of each window (row-major), summed where windows overlap.
void pool_gradient_plane(const PoolPlane& plane, const float* x, const float* y, const float* dy, float* dx);

// The same of bf16 with the channels last, where a block is all the channels: row `i` of y, and of dx the
// `count` channels from `first` on.
void pool_row_of_bf16(const PoolPlane& plane, std::int64_t i, const std::uint16_t* x, std::uint16_t* y);
struct PoolGradientBf16 {
  std::int64_t first = 0, count = 0;
  const std::uint16_t *x = nullptr, *y = nullptr, *dy = nullptr;
  std::uint16_t* dx = nullptr;
};
void pool_gradient_of_bf16(const PoolPlane& plane, const PoolGradientBf16& part);

}  // namespace ssd::cpu
