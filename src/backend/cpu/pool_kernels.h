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

}  // namespace ssd::cpu
