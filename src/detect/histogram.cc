#include "detect/histogram.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace ssd {

void MagnitudeHistogram::grow(double most) {
  if (width_ == 0) width_ = most / bins;
  while (most > width_ * bins) {
    width_ *= 2;
    for (std::size_t i = 0; i < bins; ++i)
      counts_[i] = 2 * i < bins ? counts_[2 * i] + counts_[2 * i + 1] : 0;
  }
}

void MagnitudeHistogram::add(std::span<const float> values) {
  float most = 0;
  bool finite = true;
  for (const float value : values) {
    most = std::max(most, std::abs(value));
    finite = finite && std::isfinite(value);
  }
  if (!finite) throw Error("activations: got one that is no finite number; take another checkpoint");
  if (most == 0) return;
  grow(static_cast<double>(most));
  const auto bins_a_unit = static_cast<float>(1 / width_);
  for (const float value : values) {
    if (value == 0) continue;  // rounds to itself
    const auto bin = static_cast<std::size_t>(std::abs(value) * bins_a_unit);
    ++counts_[std::min(bin, bins - 1)];
  }
}

// Numbers below `largest` are spread evenly between the multiples.
double MagnitudeHistogram::squared_error(double largest, int levels) const {
  const double step = largest / levels;
  double sum = 0;
  for (std::size_t i = 0; i < bins; ++i) {
    if (counts_[i] == 0) continue;
    const double beyond = (static_cast<double>(i) + 0.5) * width_ - largest;
    sum += static_cast<double>(counts_[i]) * (beyond > 0 ? beyond * beyond : step * step / 12);
  }
  return sum;
}

double MagnitudeHistogram::best_scale(int levels) const {
  if (width_ == 0) return 1;
  double best = width_ * bins, least = squared_error(best, levels);
  for (std::size_t i = bins - 1; i >= bins / 64; --i) {
    const double largest = static_cast<double>(i) * width_;
    const double error = squared_error(largest, levels);
    if (error >= least) continue;
    least = error;
    best = largest;
  }
  return best / levels;
}

}  // namespace ssd
