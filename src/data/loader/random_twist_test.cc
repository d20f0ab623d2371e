#include "data/loader/random_twist.h"

#include <gtest/gtest.h>

#include <map>
#include <vector>

namespace ssd {
namespace {

// A uniform change with probability 1/2: share, mean and variance (of those changed) in closed form.
void expect_half_uniform(const std::vector<double>& values, double neutral, double low, double high) {
  double changed = 0, sum = 0, squares = 0;
  for (const double value : values) {
    EXPECT_GE(value, low);
    EXPECT_LE(value, high);
    if (value == neutral) continue;
    ++changed;
    sum += value;
    squares += value * value;
  }
  const double mean = sum / changed, width = high - low;
  EXPECT_NEAR(changed / static_cast<double>(values.size()), 0.5, 0.015);
  EXPECT_NEAR(mean, (low + high) / 2, 0.01 * width);
  EXPECT_NEAR(squares / changed - mean * mean, width * width / 12, 0.005 * width * width);
}

TEST(StrongTwist, IsDistributedAsDefined) {
  constexpr int draws = 20000;
  std::vector<double> hue, saturation, brightness, contrast;
  std::map<std::array<std::uint8_t, 3>, int> orders;
  for (std::uint64_t i = 0; i < draws; ++i) {
    Random random(9, 4, i);
    const ColourTwist twist = strong_twist(random);
    hue.push_back(twist.hue_degrees);
    saturation.push_back(twist.saturation);
    brightness.push_back(twist.brightness);
    contrast.push_back(twist.contrast);
    ++orders[twist.order];
  }
  expect_half_uniform(hue, 0, -18, 18);
  expect_half_uniform(saturation, 1, 0.5, 1.5);
  expect_half_uniform(brightness, 1, 0.875, 1.125);
  expect_half_uniform(contrast, 1, 0.5, 1.5);
  ASSERT_EQ(orders.size(), 6u);  // 1/12 each, and another half for the one that changes nothing
  for (const auto& [order, count] : orders) {
    const double expected = order == std::array<std::uint8_t, 3>{0, 1, 2} ? 7.0 / 12 : 1.0 / 12;
    EXPECT_NEAR(static_cast<double>(count) / draws, expected, 0.015);
  }
}

}  // namespace
}  // namespace ssd
