// What calibration makes of numbers, and of a network's activations.
#include "detect/calibration.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "base/error.h"
#include "base/random.h"
#include "detect/histogram.h"

namespace ssd {
namespace {

double squared_error(const std::vector<float>& values, double scale, int levels) {
  double sum = 0;
  for (const float value : values) {
    const double magnitude = std::abs(static_cast<double>(value));
    const double rounded = std::min(std::nearbyint(magnitude / scale), static_cast<double>(levels)) * scale;
    sum += (magnitude - rounded) * (magnitude - rounded);
  }
  return sum;
}

std::vector<float> normal_numbers(int count, double deviation) {
  std::vector<float> values;
  Random random(1, 0, 0);
  for (int i = 0; i < count; ++i) values.push_back(static_cast<float>(deviation * random.normal()));
  return values;
}

TEST(MagnitudeHistogram, CoversNumbersWithoutATailToTheirEnd) {
  std::vector<float> values;
  for (int i = 1; i <= 10000; ++i) values.push_back(0.0003f * static_cast<float>(i));
  MagnitudeHistogram histogram;
  histogram.add(values);
  EXPECT_NEAR(histogram.best_scale(255), 3.0 / 255, 0.01 * 3.0 / 255);
}

// Against every scale tried on the numbers themselves.
TEST(MagnitudeHistogram, CutsATailWhereTheErrorIsLeast) {
  const std::vector<float> values = normal_numbers(20000, 0.7);
  MagnitudeHistogram histogram;
  histogram.add(values);
  for (const int levels : {127, 255}) {
    const double found = histogram.best_scale(levels);
    double least = std::numeric_limits<double>::infinity();
    for (double largest = 0.5; largest < 4; largest += 0.01)
      least = std::min(least, squared_error(values, largest / levels, levels));
    EXPECT_LE(squared_error(values, found, levels), 1.05 * least) << levels;
  }
}

TEST(MagnitudeHistogram, IsTheSameHoweverItsRangeGrew) {
  std::vector<float> values = normal_numbers(20000, 1);
  MagnitudeHistogram whole, grown;
  whole.add(values);
  const std::vector<float> small = {1e-4f, -2e-4f};
  grown.add(small);
  grown.add(values);
  EXPECT_NEAR(grown.best_scale(255), whole.best_scale(255), 0.02 * whole.best_scale(255));
}

TEST(MagnitudeHistogram, OfZerosHasAScaleAndRefusesWhatIsNotFinite) {
  MagnitudeHistogram histogram;
  histogram.add(std::vector<float>(10, 0.0f));
  EXPECT_EQ(histogram.best_scale(255), 1);
  EXPECT_THROW(histogram.add(std::vector<float>{1, std::numeric_limits<float>::infinity()}), Error);
  EXPECT_THROW(histogram.add(std::vector<float>{1, std::numeric_limits<float>::quiet_NaN()}), Error);
}

}  // namespace
}  // namespace ssd
