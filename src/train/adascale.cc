#include "train/adascale.h"

#include <algorithm>
#include <cmath>

namespace ssd {
namespace {

constexpr double least_variance = 1e-6;
constexpr double averaging = 1000;  // gradients that an average reaches back over

}  // namespace

void AdaScale::observe(double mean_of_squares, double square_of_mean, int gradients) {
  if (gradients < 2 || !std::isfinite(mean_of_squares - square_of_mean)) return;
  const double s = gradients;
  const double variance = std::max(least_variance, (mean_of_squares - square_of_mean) * s / (s - 1));
  const double mean_square = std::max(0.0, square_of_mean - variance / s);
  const double theta = std::max(0.0, 1 - s / averaging);
  averages_.variance = theta * averages_.variance + (1 - theta) * variance;
  averages_.mean_square = theta * averages_.mean_square + (1 - theta) * mean_square;
}

double AdaScale::gain(int gradients) const {
  const double s = gradients, v = averages_.variance, m = averages_.mean_square;
  if (gradients < 2 || v + m <= 0) return 1;
  return std::clamp((v + m) / (v / s + m), 1.0, s);
}

}  // namespace ssd
