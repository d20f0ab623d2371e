// The order in which an epoch visits the samples.
#pragma once

#include <cstdint>
#include <vector>

namespace ssd {

enum class SampleOrder {
  sequential,  // as they lie in the data set
  shuffled,    // any order alike
  // For record caches on disks that are slow at jumping: stretches of `window` samples that lie side by side
  // come in random order, and the samples of every `windows_mixed` such stretches are shuffled.
  windows,
};

struct SampleOrderOptions {
  SampleOrder kind = SampleOrder::shuffled;
  std::uint64_t seed = 0;
  std::uint32_t window = 256;
  std::uint32_t windows_mixed = 16;
};

// order[i] = the i-th sample of the epoch: a permutation of 0 .. samples - 1, which depends on seed and epoch
// alone. Allocates where `order` is too small only.
void order_epoch(const SampleOrderOptions& options, std::uint32_t epoch, std::uint32_t samples,
                 std::vector<std::uint32_t>& order);

}  // namespace ssd
