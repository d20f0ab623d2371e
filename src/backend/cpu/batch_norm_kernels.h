// Batch norm over planes of the blocked layout: one plane is a block of B channels of one image, [cells][B].
// Per-channel arrays point at the block's first channel.
#pragma once

#include <cstdint>

namespace ssd::cpu {

struct PlaneSums {
  double* first;   // (B)
  double* second;  // (B)
};

// Sums over the cells of d = x - origin and of d * d. Values near the origin lose nothing to cancellation.
struct StatisticsPlane {
  const float* x = nullptr;
  const float* origin = nullptr;  // (B)
  std::int64_t cells = 0;
  std::int64_t block = 8;  // B: 8 or 16
};
void sum_statistics(const StatisticsPlane& plane, PlaneSums sums);

// y = (x - mean) * factor + shift [+ residual] [, ReLU]. NaN stays NaN.
struct NormalizePlane {
  const float* x = nullptr;
  const float* residual = nullptr;  // or null
  float* y = nullptr;
  const float* mean = nullptr;    // (B)
  const float* factor = nullptr;  // (B): scale / sqrt(variance + epsilon)
  const float* shift = nullptr;   // (B)
  std::int64_t cells = 0;
  std::int64_t block = 8;
  bool relu = false;
};
void normalize_plane(const NormalizePlane& plane);

// g = dy [+ more_dy], where y > 0 (all of it where y is null).
struct GradientPlane {
  const float* dy = nullptr;
  const float* more_dy = nullptr;  // or null
  const float* x = nullptr;
  const float* y = nullptr;     // or null
  float* g = nullptr;           // where to keep g, or null
  const float* mean = nullptr;  // (B)
  std::int64_t cells = 0;
  std::int64_t block = 8;
};
// Sums of g and of g * (x - mean).
void sum_gradients(const GradientPlane& plane, PlaneSums sums);

// dx = factor * (g - g_mean - (x - mean) * slope); `dx` may be any of the planes read.
struct GradientFactors {
  const float* factor = nullptr;  // (B): scale / sqrt(variance + epsilon)
  const float* g_mean = nullptr;  // (B)
  const float* slope = nullptr;   // (B): mean of g * (x - mean), over variance + epsilon
};
void input_gradient_plane(const GradientPlane& plane, const GradientFactors& factors, float* dx);

}  // namespace ssd::cpu
