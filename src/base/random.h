// Seeded, counter-based random numbers: the same key gives the same numbers on any thread.
#pragma once

#include <array>
#include <cstdint>

namespace ssd {

// Philox 4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011). The key is the
// seed; (stream, substream) start the counter, as (epoch, sample) do in the input pipeline. Two generators
// of different (seed, stream, substream) are independent.
class Random {
 public:
  Random(std::uint64_t seed, std::uint32_t stream, std::uint64_t substream);

  std::uint32_t next();  // all 32-bit values alike
  double uniform();      // [0, 1)
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  std::uint64_t below(std::uint64_t count);  // 0 .. count - 1, unbiased; count > 0
  bool coin(double probability) { return uniform() < probability; }
  double normal();  // mean 0, standard deviation 1

 private:
  void refill();

  std::array<std::uint32_t, 2> key_;
  std::array<std::uint32_t, 4> counter_;
  std::array<std::uint32_t, 4> block_{};
  int used_ = 4;
};

}  // namespace ssd
