// Batch norm over planes: one plane is some channels of one image, [cells][channels]. Its elements T are
// float in the blocked layout, where a plane is a block of B channels, 8 or 16, or std::uint16_t: bf16 with
// the channels last, where a plane is any number of channels and the cells of an image lie `stride` elements
// apart. Per-channel arrays point at the plane's first channel. All arithmetic is in f32, sums are in f64.
#pragma once

#include <cstdint>

namespace ssd::cpu {

struct PlaneSums {
  double* first;           // (channels)
  double* second;          // (channels)
  float* parts = nullptr;  // (2, channels): room for sums over a few cells, of bf16
};

struct PlaneShape {
  std::int64_t cells = 0;
  std::int64_t channels = 8;
};

// Sums over the cells of d = x - origin and of d * d. Values near the origin lose nothing to cancellation.
template <typename T>
struct StatisticsPlane {
  PlaneShape shape;
  const T* x = nullptr;
  const T* origin = nullptr;  // (channels)
};
void sum_statistics(const StatisticsPlane<float>& plane, PlaneSums sums);
void sum_statistics(const StatisticsPlane<std::uint16_t>& plane, PlaneSums sums);

// y = (x - mean) * factor + shift [+ residual] [, ReLU]. NaN stays NaN.
template <typename T>
struct NormalizePlane {
  PlaneShape shape;
  const T* x = nullptr;
  const T* residual = nullptr;  // or null
  T* y = nullptr;
  const float* mean = nullptr;    // (channels)
  const float* factor = nullptr;  // (channels): scale / sqrt(variance + epsilon)
  const float* shift = nullptr;   // (channels)
  bool relu = false;
};
void normalize_plane(const NormalizePlane<float>& plane);
void normalize_plane(const NormalizePlane<std::uint16_t>& plane);

// g = dy [+ more_dy], where y > 0 (all of it where y is null).
template <typename T>
struct GradientPlane {
  PlaneShape shape;
  const T* dy = nullptr;
  const T* more_dy = nullptr;  // or null
  const T* x = nullptr;
  const T* y = nullptr;         // or null
  T* g = nullptr;               // where to keep g, or null
  const float* mean = nullptr;  // (channels)
};
// Sums of g and of g * (x - mean).
void sum_gradients(const GradientPlane<float>& plane, PlaneSums sums);
void sum_gradients(const GradientPlane<std::uint16_t>& plane, PlaneSums sums);

// dx = factor * (g - g_mean - (x - mean) * slope); `dx` may be any of the planes read.
struct GradientFactors {
  const float* factor = nullptr;  // (channels): scale / sqrt(variance + epsilon)
  const float* g_mean = nullptr;  // (channels)
  const float* slope = nullptr;   // (channels): mean of g * (x - mean), over variance + epsilon
};
void input_gradient_plane(const GradientPlane<float>& plane, const GradientFactors& factors, float* dx);
void input_gradient_plane(const GradientPlane<std::uint16_t>& plane, const GradientFactors& factors,
                          std::uint16_t* dx);

}  // namespace ssd::cpu
