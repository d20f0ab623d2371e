// AdaScale SGD: how much faster a step of several gradients may go than one of a single gradient.
//
// Johnson, Agrawal, Gu and Guestrin, "AdaScale SGD: A User-Friendly Algorithm for Distributed Training", ICML
// 2020, section 3. Of S gradients g_i of equal shares of a step's images, with mean g:
//   v = S / (S - 1) * (mean |g_i|^2 - |g|^2), at least 1e-6     the variance of one gradient
//   m = |g|^2 - v / S, at least 0                               the square of the true gradient
// Both are averaged over steps with theta = max(0, 1 - S / 1000), beginning with v = 0 and m = 1, and
//   gain = (v + m) / (v / S + m)                                between 1 and S.
// v is of one gradient of a share whose size stays, so a change of S leaves it as it is.
#pragma once

namespace ssd {

class AdaScale {
 public:
  // The averages; kept in checkpoints.
  struct Averages {
    double variance = 0;     // v
    double mean_square = 1;  // m

    bool operator==(const Averages&) const = default;
  };

  AdaScale() = default;
  explicit AdaScale(const Averages& averages) : averages_(averages) {}

  // What a step showed: the mean of |g_i|^2 over its `gradients`, and |g|^2 of their mean. A step of one
  // gradient shows no variance and changes nothing, nor does one whose squares are too large for a number.
  void observe(double mean_of_squares, double square_of_mean, int gradients);

  // Of a step of so many gradients, after the steps that were observed.
  double gain(int gradients) const;

  const Averages& averages() const { return averages_; }

 private:
  Averages averages_;
};

}  // namespace ssd
