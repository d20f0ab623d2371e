#include "train/speed_meter.h"

#include <gtest/gtest.h>

namespace ssd {
namespace {

using std::chrono::seconds;

// 80 images in 4 s are 20 images/s, and of those 4 s the device waited 1.
TEST(SpeedMeter, MeasuresSinceTheLastReport) {
  const SpeedMeter::Clock::time_point start{};
  SpeedMeter meter(800, start);
  const SpeedReport first = meter.report(110, 880, 1.0, start + seconds(4));
  EXPECT_EQ(first.step, 110);
  EXPECT_DOUBLE_EQ(first.images_per_s, 20);
  EXPECT_DOUBLE_EQ(first.data_wait, 0.25);
  EXPECT_DOUBLE_EQ(first.seconds, 4);
  const SpeedReport second = meter.report(115, 920, 1.5, start + seconds(6));
  EXPECT_DOUBLE_EQ(second.images_per_s, 20);
  EXPECT_DOUBLE_EQ(second.data_wait, 0.25);
  EXPECT_DOUBLE_EQ(second.seconds, 6);
}

TEST(SpeedMeter, WhatIsSkippedIsNoTraining) {
  const SpeedMeter::Clock::time_point start{};
  SpeedMeter meter(0, start);
  meter.skip(16, 3.0, start + seconds(100));
  const SpeedReport report = meter.report(4, 32, 3.0, start + seconds(101));
  EXPECT_DOUBLE_EQ(report.images_per_s, 16);
  EXPECT_DOUBLE_EQ(report.data_wait, 0);
  EXPECT_DOUBLE_EQ(report.seconds, 101);
}

}  // namespace
}  // namespace ssd
