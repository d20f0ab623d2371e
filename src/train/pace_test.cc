#include "train/pace.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numbers>
#include <random>
#include <vector>

#include "testing/message_of.h"

namespace ssd {
namespace {

using Gradient = std::vector<double>;

double square(const Gradient& g) {
  double sum = 0;
  for (const double value : g) sum += value * value;
  return sum;
}

Gradient mean_of(const std::vector<Gradient>& gradients) {
  Gradient mean(gradients[0].size());
  for (const Gradient& g : gradients)
    for (std::size_t i = 0; i < g.size(); ++i) mean[i] += g[i] / static_cast<double>(gradients.size());
  return mean;
}

void observe(AdaScale& adascale, const std::vector<Gradient>& gradients) {
  double squares = 0;
  for (const Gradient& g : gradients) squares += square(g);
  adascale.observe(squares / static_cast<double>(gradients.size()), square(mean_of(gradients)),
                   static_cast<int>(gradients.size()));
}

// The paper's estimates in their other form: the gradients' spread about their mean.
struct SecondImplementation {
  double variance = 0, mean_square = 1;

  void observe(const std::vector<Gradient>& gradients) {
    const auto s = static_cast<double>(gradients.size());
    const Gradient mean = mean_of(gradients);
    double spread = 0;
    for (const Gradient& g : gradients)
      for (std::size_t i = 0; i < g.size(); ++i) spread += (g[i] - mean[i]) * (g[i] - mean[i]);
    const double v = std::max(1e-6, spread / (s - 1)), m = std::max(0.0, square(mean) - v / s);
    const double old = std::max(0.0, 1 - s / 1000);
    variance = old * variance + (1 - old) * v;
    mean_square = old * mean_square + (1 - old) * m;
  }
  double gain(double s) const { return (variance + mean_square) / (variance / s + mean_square); }
};

std::vector<Gradient> draw(std::mt19937& random, int count, double truth, double deviation) {
  std::normal_distribution<double> noise(0, deviation);
  std::vector<Gradient> gradients(count, Gradient(50));
  for (Gradient& g : gradients)
    for (double& value : g) value = truth + noise(random);
  return gradients;
}

TEST(AdaScale, EqualsASecondImplementationAndStaysBetweenOneAndTheGradients) {
  std::mt19937 random(7);
  AdaScale ours;
  SecondImplementation theirs;
  for (int step = 0; step < 300; ++step) {
    const int count = 2 + step % 15;
    const auto gradients = draw(random, count, 0.1 * std::sin(step), 0.05 * (1 + step % 3));
    observe(ours, gradients);
    theirs.observe(gradients);
    ASSERT_NEAR(ours.gain(count), theirs.gain(count), 1e-6 * theirs.gain(count)) << step;
    ASSERT_GE(ours.gain(count), 1);
    ASSERT_LE(ours.gain(count), count);
  }
}

// 50 elements of mean 0.2 and deviation 0.6: m = 50 * 0.04 = 2, v = 50 * 0.36 = 18; of eight gradients the
// gain is (18 + 2) / (18 / 8 + 2) = 4.70588.
TEST(AdaScale, FindsTheGainOfAKnownVariance) {
  std::mt19937 random(11);
  AdaScale adascale;
  for (int step = 0; step < 3000; ++step) observe(adascale, draw(random, 8, 0.2, 0.6));
  EXPECT_NEAR(adascale.gain(8), 20 / 4.25, 0.05 * 20 / 4.25);
  // The variance is of one gradient: steps of other sizes need no new estimate.
  EXPECT_NEAR(adascale.gain(2), 20 / 11.0, 0.05 * 20 / 11.0);
}

TEST(AdaScale, BeginsWithAGainOfOneAndKeepsItForSingleGradients) {
  AdaScale adascale;
  EXPECT_EQ(adascale.gain(16), 1);
  adascale.observe(5, 5, 1);
  EXPECT_EQ(adascale.averages(), AdaScale::Averages{});
  EXPECT_EQ(adascale.gain(1), 1);
}

TEST(AdaScale, PassesOverSquaresThatAreNoNumbers) {
  constexpr double infinite = std::numeric_limits<double>::infinity();
  AdaScale adascale;
  adascale.observe(infinite, 1, 2);
  adascale.observe(infinite, infinite, 2);
  adascale.observe(1, std::numeric_limits<double>::quiet_NaN(), 2);
  EXPECT_EQ(adascale.averages(), AdaScale::Averages{});
}

// torch.optim.lr_scheduler.CosineAnnealingLR: rate / 2 * (1 + cos(pi * t / T)).
TEST(Schedule, FollowsHalfACosineBehindTheWarmUp) {
  const Schedule schedule{.rate = 2, .shape = Schedule::Shape::cosine, .warmup = 4, .steps = 12};
  EXPECT_DOUBLE_EQ(schedule.rate_at(2), 1);
  EXPECT_DOUBLE_EQ(schedule.rate_at(4), 2);
  EXPECT_NEAR(schedule.rate_at(6), 1 + std::numbers::sqrt2 / 2, 1e-12);
  EXPECT_NEAR(schedule.rate_at(8), 1, 1e-12);
  EXPECT_NEAR(schedule.rate_at(12), 0, 1e-12);
  EXPECT_NEAR(schedule.rate_at(13), 0, 1e-12);
}

PaceOptions traced(RateRule rule) {
  return {.schedule = {.rate = 0.1, .milestones = {}},
          .end = 20,
          .rule = rule,
          .base_images = 32,
          .micro_images = 32,
          .trace = parse_batch_trace("step,batchsize\n0,64\n2,128\n", "trace", 32)};
}

TEST(Pace, FollowsATraceWithItsRule) {
  Pace linear(traced(RateRule::linear), 0, {}), root(traced(RateRule::root), 0, {});
  EXPECT_EQ(linear.micro_batches(), 2);
  EXPECT_DOUBLE_EQ(linear.rate(), 0.2);
  EXPECT_DOUBLE_EQ(root.rate(), 0.1 * std::numbers::sqrt2);
  for (int i = 0; i < 2; ++i) linear.advance(), root.advance();
  EXPECT_EQ(linear.micro_batches(), 4);
  EXPECT_DOUBLE_EQ(linear.rate(), 0.4);
  EXPECT_DOUBLE_EQ(root.rate(), 0.2);
  EXPECT_DOUBLE_EQ(linear.state().progress, 4);
}

// 2 + 2 + 4 + 4 + 4 + 4 = 20 base steps.
TEST(Pace, EndsWhenTheScheduleDoes) {
  EXPECT_EQ(steps_in_all(traced(RateRule::linear)), 6);
  PaceOptions shorter = traced(RateRule::root);
  shorter.steps = 3;
  EXPECT_EQ(steps_in_all(shorter), 3);
}

TEST(Pace, GoesOnWhereItWas) {
  Pace whole(traced(RateRule::linear), 0, {});
  PaceState half;
  for (int i = 0; i < 3; ++i) half = whole.advance();
  Pace resumed(traced(RateRule::linear), 3, half);
  EXPECT_EQ(resumed.rate(), whole.rate());
  whole.advance(), resumed.advance();
  EXPECT_EQ(resumed.state(), whole.state());
}

// With the gain of 1 that AdaScale begins with, a step of four micro-batches is worth one of the base.
TEST(Pace, WithAdaScaleAdvancesByTheGain) {
  PaceOptions options{.schedule = {.rate = 0.1, .milestones = {}},
                      .end = 20,
                      .rule = RateRule::adascale,
                      .base_images = 8,
                      .micro_images = 8,
                      .accumulation = 4};
  EXPECT_EQ(steps_in_all(options), 20);
  Pace pace(options, 0, {});
  EXPECT_DOUBLE_EQ(pace.rate(), 0.1);
  EXPECT_DOUBLE_EQ(pace.advance().progress, 1);
  pace.observe(1, 0, 4);  // nothing but noise: m falls, v rises
  EXPECT_GT(pace.rate(), 0.1);
  const double gain = pace.rate() / 0.1;
  EXPECT_DOUBLE_EQ(pace.advance().progress, 1 + gain);
}

TEST(BatchTrace, RefusesWhatMakesNoSense) {
  EXPECT_EQ(parse_batch_trace("0, 32\r\n\n# twice as many\n5,64\n7,64\n", "t", 32).to_text(), "32 x 5, 64");
  const std::pair<const char*, const char*> bad[] = {{"", "t: got no entry"},
                                                     {"1,32\n", "t:1: got step 1, expected 0"},
                                                     {"0,32\n0,64\n", "t:2: got step 0"},
                                                     {"0,33\n", "t:1: got a batch of 33"},
                                                     {"0,32\nx,y\n", "t:2: expected"},
                                                     {"0,0\n", "t:1: got a batch of 0"},
                                                     {"0,-32\n", "t:1: got a batch of -32"},
                                                     {"0,32,1\n", "t:1: expected"}};
  for (const auto& [text, message] : bad) {
    const std::string refusal = message_of([&of = text] { parse_batch_trace(of, "t", 32); });
    EXPECT_TRUE(refusal.starts_with(message)) << text << ": " << refusal;
  }
}

}  // namespace
}  // namespace ssd
