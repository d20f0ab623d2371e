// Winograd's minimal filtering F(4x4, 3x3) for blocks of B channels (Lavin and Gray 2015; Toom-Cook points
// 0, +-3/4, +-3/2 and infinity, which lose about half as much precision as the usual 0, +-1, +-2).
//
// 4 x 4 outputs of a 3x3 convolution come from a patch of 6 x 6 inputs: patch and weights are transformed to
// 36 points, multiplied there (36 products for 144), and the products transformed back. A "point vector"
// below is B floats at one of the 36 points; point p of a transform lies at p * point_stride.
#pragma once

#include <cstdint>

namespace ssd::cpu::winograd {

constexpr std::int64_t tile = 4;   // outputs a side
constexpr std::int64_t patch = 6;  // inputs a side
constexpr std::int64_t points = 36;

// A block of channels of one image, [rows][columns][B], and the tile's corner on it, which may lie outside.
struct Corner {
  std::int64_t rows = 0, columns = 0;
  std::int64_t row = 0, column = 0;
  std::int64_t block = 8;  // B: 8 or 16
};

// 6 x 6 inputs, zero outside the image -> 36 point vectors.
void transform_patch(const Corner& corner, const float* plane, float* out, std::int64_t point_stride);
// 4 x 4 gradients of outputs, zero outside -> 36 point vectors.
void transform_gradient(const Corner& corner, const float* plane, float* out, std::int64_t point_stride);

// What is done to outputs before they are stored.
struct Epilogue {
  const float* bias = nullptr;      // (B), or null
  const float* residual = nullptr;  // a plane like the output's, or null
  bool relu = false;
};
// 36 point vectors -> 4 x 4 outputs; those outside the image are dropped.
void transform_back(const Corner& corner, const float* in, std::int64_t point_stride,
                    const Epilogue& epilogue, float* plane);

// 9 taps (vectors of B) -> 36 point vectors; tap t lies at t * tap_stride.
void transform_weight(const float* taps, std::int64_t tap_stride, std::int64_t block, float* out,
                      std::int64_t point_stride);
// The transposed way: 36 point vectors of a weight's gradient -> 9 taps.
void transform_weight_back(const float* in, std::int64_t point_stride, std::int64_t block, float* taps,
                           std::int64_t tap_stride);

}  // namespace ssd::cpu::winograd
