// Magnitudes of many numbers, counted in bins of equal width, and the scale that rounds them best.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace ssd {

// The range grows with them: whenever it doubles, pairs of bins are joined.
class MagnitudeHistogram {
 public:
  // Throws Error for numbers that are not finite.
  void add(std::span<const float> values);

  // The scale whose multiples 0 .. `levels` leave the least sum of squared errors, where what is larger is
  // taken for the largest multiple. 1 where all numbers were zero.
  double best_scale(int levels) const;

 private:
  void grow(double most);
  double squared_error(double largest, int levels) const;

  static constexpr std::size_t bins = 2048;
  double width_ = 0;  // of a bin; 0: nothing but zeros so far
  std::vector<std::uint64_t> counts_ = std::vector<std::uint64_t>(bins);
};

}  // namespace ssd
