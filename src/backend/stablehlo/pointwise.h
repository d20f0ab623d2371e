// Batch norm after a 1x1 convolution that makes many channels of few, y = W x, without reading y again.
//
// With m the mean of x over images, rows and columns, and C its covariance, y has mean W m and variance
// diag(W C W'). With g the gradient of the normalized result, s = scale / deviation, a = mean(g),
// k = s / deviation * mean(g h), h = (y - mean(y)) / deviation and n values a channel:
//   sum(g h) = rows' sums of W * G / deviation, G = sum of g (x - m)'
//   dy = s (g - a) - k W (x - m),  dW = s G - k n W C,  dx = W' s (g - a) - W' k W (x - m)
// so that neither y nor dy need lie in memory. It pays where y is much larger than x: on devices that put
// what follows a convolution into the same pass.
#pragma once

#include <memory>

#include "backend/stablehlo/bound.h"
#include "backend/stablehlo/node.h"

namespace ssd::stablehlo {

struct Pointwise {
  Term x;           // (N,H,W,I)
  Term weight;      // W (O,I), of x's type
  Term y;           // (N,H,W,O) f32
  Term mean;        // m (I)
  Term covariance;  // W C (O,I)
};

struct PointwiseGradient {
  std::shared_ptr<const Pointwise> of;
  Term g;        // (N,H,W,O)
  Term mean_g;   // a (O)
  Term g_by_x;   // G (O,I)
  Term slope;    // s (O)
  Term descent;  // k (O)
};

// Whether the above applies to the convolution at `site`, and pays.
bool is_pointwise(const NodeSite& site);
// Of that convolution, whose result before rounding is y.
std::shared_ptr<const Pointwise> make_pointwise(const NodeSite& site, const Term& y);

struct Statistics {
  Term mean, variance;  // (O), of y
};
Statistics statistics_of(Body& body, const Pointwise& pointwise);

struct NormGradient {
  std::shared_ptr<const PointwiseGradient> dy;
  Term dscale, dshift;  // (O)
};
// g (N,H,W,O); scale and 1 / deviation (O).
NormGradient norm_gradient(Body& body, std::shared_ptr<const Pointwise> pointwise, const Term& g,
                           const Term& scale, const Term& inverse);

Term input_gradient(Body& body, const PointwiseGradient& dy);   // dx (N,H,W,I) f32
Term weight_gradient(Body& body, const PointwiseGradient& dy);  // dW (O,I) f32
Term whole_gradient(Body& body, const PointwiseGradient& dy);   // dy (N,H,W,O) f32

}  // namespace ssd::stablehlo
