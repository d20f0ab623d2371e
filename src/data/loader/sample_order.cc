#include "data/loader/sample_order.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <span>
#include <utility>

#include "base/random.h"

namespace ssd {
namespace {

// Fisher and Yates' shuffle.
void shuffle(std::span<std::uint32_t> values, Random& random) {
  for (std::size_t left = values.size(); left > 1; --left)
    std::swap(values[left - 1], values[random.below(left)]);
}

// Puts the windows in random order: the last one may be shorter than the others.
void order_windows(std::uint32_t window, Random& random, std::vector<std::uint32_t>& order) {
  const auto samples = static_cast<std::uint32_t>(order.size());
  const std::uint32_t windows = (samples + window - 1) / window;
  // The front of `order` holds the windows' numbers; they are spread from the last on, so that a number is
  // read before a sample is written over it.
  const std::span<std::uint32_t> numbers(order.data(), windows);
  std::iota(numbers.begin(), numbers.end(), 0u);
  shuffle(numbers, random);
  std::size_t end = samples;
  for (std::size_t i = windows; i-- > 0;) {
    const std::uint32_t first = numbers[i] * window;
    const std::uint32_t count = std::min(window, samples - first);
    end -= count;
    std::iota(order.begin() + static_cast<std::ptrdiff_t>(end),
              order.begin() + static_cast<std::ptrdiff_t>(end + count), first);
  }
}

}  // namespace

void order_epoch(const SampleOrderOptions& options, std::uint32_t epoch, std::uint32_t samples,
                 std::vector<std::uint32_t>& order) {
  // Samples draw from the substreams below this one.
  Random random(options.seed, epoch, std::numeric_limits<std::uint64_t>::max());
  order.resize(samples);
  switch (options.kind) {
    case SampleOrder::sequential:
      std::iota(order.begin(), order.end(), 0u);
      break;
    case SampleOrder::shuffled:
      std::iota(order.begin(), order.end(), 0u);
      shuffle(order, random);
      break;
    case SampleOrder::windows: {
      const std::uint32_t window = std::max(options.window, 1u);
      order_windows(window, random, order);
      const std::size_t mixed = std::size_t{window} * std::max(options.windows_mixed, 1u);
      for (std::size_t first = 0; first < order.size(); first += mixed)
        shuffle(std::span(order).subspan(first, std::min(mixed, order.size() - first)), random);
      break;
    }
  }
}

}  // namespace ssd
