#include "train/evaluation_schedule.h"

#include <gtest/gtest.h>

namespace ssd {
namespace {

using std::chrono::seconds;
constexpr EvaluationSchedule::Clock::time_point start{};

StepSpan end_of(std::uint32_t epoch) { return {1, epoch, epoch + 1}; }

TEST(EvaluationSchedule, OfAListIsDueAfterTheLastOfTheEpochsThatAStepEnds) {
  const EvaluationSchedule schedule(std::vector{1, 2, 5}, start);
  EXPECT_EQ(schedule.due({1, 0, 0}), std::nullopt);
  EXPECT_EQ(schedule.due({1, 0, 1}), std::nullopt);
  EXPECT_EQ(schedule.due({1, 1, 2}), 1u);
  EXPECT_EQ(schedule.due({1, 0, 4}), 2u);  // a step may span several epochs of a small set
  EXPECT_EQ(schedule.due({1, 3, 3, true}), std::nullopt);
}

// An evaluation of 10 s is worth it after 90 s of training.
TEST(EvaluationSchedule, ByTheClockTakesATenthOfTheTime) {
  EvaluationSchedule schedule(std::nullopt, start);
  EXPECT_EQ(schedule.due({1, 0, 0}, start + seconds(500)), std::nullopt);  // within an epoch
  EXPECT_EQ(schedule.due(end_of(0), start + seconds(20)), 0u);             // what it costs is not known yet
  schedule.evaluated(start + seconds(20), start + seconds(30));
  EXPECT_EQ(schedule.due(end_of(1), start + seconds(119)), std::nullopt);
  EXPECT_EQ(schedule.due(end_of(2), start + seconds(120)), 2u);
}

TEST(EvaluationSchedule, ByTheClockIsDueAfterTheLastStepWhereverItIs) {
  EvaluationSchedule schedule(std::nullopt, start);
  schedule.evaluated(start, start + seconds(10));
  EXPECT_EQ(schedule.due({9, 3, 3, true}, start + seconds(11)), 3u);
  EXPECT_EQ(schedule.due({9, 3, 4, true}, start + seconds(11)), 3u);
}

}  // namespace
}  // namespace ssd
