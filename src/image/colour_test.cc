#include "image/colour.h"

#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <cmath>
#include <numbers>

#include "testing/golden_file.h"
#include "testing/test_jpeg.h"

namespace ssd {
namespace {

// Makes the vector loops take one kind of processor, 0 for the best one.
void choose_target(std::int64_t target) {
  hwy::SetSupportedTargetsForTest(target);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}

// Step by step in floating point: hue and saturation in YIQ, then contrast, then brightness.
double by_steps(const std::uint8_t* rgb, const ColourTwist& t, int component) {
  const double y = 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2];
  const double i = 0.596 * rgb[0] - 0.274 * rgb[1] - 0.321 * rgb[2];
  const double q = 0.211 * rgb[0] - 0.523 * rgb[1] + 0.311 * rgb[2];
  const double angle = t.hue_degrees * std::numbers::pi / 180;
  const double i2 = t.saturation * (i * std::cos(angle) + q * std::sin(angle));
  const double q2 = t.saturation * (q * std::cos(angle) - i * std::sin(angle));
  const double back[3] = {y + 0.956 * i2 + 0.621 * q2, y - 0.272 * i2 - 0.647 * q2,
                          y - 1.107 * i2 + 1.705 * q2};
  return std::clamp(t.brightness * (128 + t.contrast * (back[component] - 128)), 0.0, 255.0);
}

TEST(Colour, FollowsTheSteps) {
  const Image image = test_image(53, 41);
  for (const ColourTwist& t :
       {ColourTwist{}, ColourTwist{0.5, 1.5, 1.125, 1.5}, ColourTwist{-0.5, 0.5, 0.875, 0.5},
        ColourTwist{90, 3, 1, 1}, ColourTwist{0, 1, 1, 12}}) {
    auto out = image.rgb;
    twist(out, t);
    for (std::size_t i = 0; i < out.size(); ++i) {
      const double expected = by_steps(&image.rgb[i / 3 * 3], t, static_cast<int>(i % 3));
      ASSERT_NEAR(out[i], expected, 0.65) << t.hue_degrees << " at " << i;
    }
  }
}

TEST(Colour, IsWithinTwoOfDali) {
  SSD_NEEDS_GOLDEN("augment.safetensors");
  const GoldenFile golden("augment.safetensors");
  const auto cases = GoldenFile::json("augment.json").at("twist");
  for (std::size_t k = 0; k < cases.size(); ++k) {
    auto out = golden.get<std::uint8_t>("resize.0");
    const auto& c = cases[k];
    twist(out, {.hue_degrees = c.at("hue_degrees"),
                .saturation = c.at("saturation"),
                .brightness = c.at("brightness"),
                .contrast = c.at("contrast")});
    const auto expected = golden.get<std::uint8_t>("twist." + std::to_string(k));
    int worst = 0;
    for (std::size_t i = 0; i < out.size(); ++i) worst = std::max(worst, std::abs(out[i] - expected[i]));
    EXPECT_LE(worst, 2) << k;
  }
}

TEST(Colour, IsTheSameOnEveryProcessor) {
  const Image image = test_image(67, 23);
  auto widest = image.rgb;
  twist(widest, {20, 1.3, 1.1, 0.7});
  for (const auto target : hwy::SupportedAndGeneratedTargets()) {
    choose_target(target);
    auto out = image.rgb;
    twist(out, {20, 1.3, 1.1, 0.7});
    EXPECT_EQ(out, widest) << hwy::TargetName(target);
  }
  choose_target(0);
}

// Each other order of the components, on a pixel that tells them apart.
TEST(Colour, ComponentsTakeAnotherOrder) {
  std::vector<std::uint8_t> pixels;
  for (int i = 0; i < 40; ++i) pixels.insert(pixels.end(), {10, 100, 200});
  std::vector<std::uint8_t> expected;
  for (int i = 0; i < 40; ++i) expected.insert(expected.end(), {200, 10, 100});
  twist(pixels, {.order = {2, 0, 1}});
  for (std::size_t i = 0; i < pixels.size(); ++i) EXPECT_NEAR(pixels[i], expected[i], 1) << i;
}

}  // namespace
}  // namespace ssd
