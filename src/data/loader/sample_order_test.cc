#include "data/loader/sample_order.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace ssd {
namespace {

std::vector<std::uint32_t> order_of(const SampleOrderOptions& options, std::uint32_t epoch,
                                    std::uint32_t samples) {
  std::vector<std::uint32_t> order;
  order_epoch(options, epoch, samples, order);
  return order;
}

bool is_permutation(std::vector<std::uint32_t> order) {
  std::ranges::sort(order);
  for (std::uint32_t i = 0; i < order.size(); ++i)
    if (order[i] != i) return false;
  return true;
}

TEST(SampleOrder, IsAPermutationOfItsSeedAndEpoch) {
  for (const SampleOrder kind : {SampleOrder::sequential, SampleOrder::shuffled, SampleOrder::windows})
    for (const std::uint32_t samples : {1u, 2u, 7u, 64u, 65u, 1000u})
      EXPECT_TRUE(
          is_permutation(order_of({.kind = kind, .seed = 3, .window = 8, .windows_mixed = 4}, 5, samples)))
          << static_cast<int>(kind) << " of " << samples;
  for (const SampleOrder kind : {SampleOrder::shuffled, SampleOrder::windows}) {
    const SampleOrderOptions options{.kind = kind, .seed = 3};
    EXPECT_EQ(order_of(options, 1, 1000), order_of(options, 1, 1000));
    EXPECT_NE(order_of(options, 1, 1000), order_of(options, 2, 1000));
    EXPECT_NE(order_of(options, 1, 1000), order_of({.kind = kind, .seed = 4}, 1, 1000));
  }
}

// Each of 5 samples at each of 5 places: 20,000 epochs give 4,000 +- 5 * 57 (five standard deviations).
TEST(SampleOrder, ShufflesAllAlike) {
  std::array<std::array<int, 5>, 5> count{};
  for (std::uint32_t epoch = 0; epoch < 20000; ++epoch) {
    const std::vector<std::uint32_t> order = order_of({.seed = 1}, epoch, 5);
    for (std::size_t i = 0; i < 5; ++i) ++count[i][order[i]];
  }
  for (const auto& row : count)
    for (const int times : row) EXPECT_NEAR(times, 4000, 285);
}

TEST(SampleOrder, WindowsStayCloseTogether) {
  const SampleOrderOptions options{.kind = SampleOrder::windows, .seed = 1, .window = 10, .windows_mixed = 5};
  const std::vector<std::uint32_t> order = order_of(options, 0, 1000);
  bool mixes_far = false;
  for (std::size_t first = 0; first < order.size(); first += 50) {
    std::vector<std::uint32_t> windows;
    for (std::size_t i = first; i < first + 50; ++i) windows.push_back(order[i] / 10);
    EXPECT_FALSE(std::ranges::is_sorted(windows)) << "not shuffled";
    std::ranges::sort(windows);
    for (std::size_t i = 0; i < 50; ++i) EXPECT_EQ(windows[i], windows[i / 10 * 10]) << "a window is torn";
    mixes_far |= windows.back() - windows.front() > 50;
  }
  EXPECT_TRUE(mixes_far);
}

}  // namespace
}  // namespace ssd
