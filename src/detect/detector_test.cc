#include "detect/detector.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/error.h"
#include "boxes/default_boxes.h"
#include "testing/golden_file.h"

namespace ssd {
namespace {

constexpr std::size_t n = default_box_count;

// (C, 8732) as the golden files hold it to (8732, C).
template <typename T, typename Convert>
void transpose(const std::vector<T>& in, std::span<float> out, Convert convert) {
  const std::size_t channels = in.size() / n;
  for (std::size_t c = 0; c < channels; ++c) {
    for (std::size_t d = 0; d < n; ++d) out[d * channels + c] = convert(in[c * n + d]);
  }
}

class DetectorOnGolden : public testing::TestWithParam<const char*> {};

TEST_P(DetectorOnGolden, FindsTheSameBoxes) {
  const std::string name = GetParam();
  SSD_NEEDS_GOLDEN(name + ".safetensors");
  const GoldenFile golden(name + ".safetensors");
  const nlohmann::json values = GoldenFile::json(name + ".json");
  const double tolerance = values.at("tolerance").at("detections");
  const auto& expected = values.at("detections");
  Tensor loc(DType::f32, {2, n, 4}), conf(DType::f32, {2, n, 81});
  for (std::size_t i = 0; i < 2; ++i) {
    transpose(golden.get<float>("detect.loc." + std::to_string(i)), loc.as<float>().subspan(i * n * 4, n * 4),
              [](float value) { return value; });
    transpose(golden.get<std::uint16_t>("detect.conf." + std::to_string(i)),
              conf.as<float>().subspan(i * n * 81, n * 81), f16_to_float);
  }
  ThreadPool pool(2);
  for (ThreadPool* threads : {static_cast<ThreadPool*>(nullptr), &pool}) {
    const auto detections = detect({loc, conf}, {}, threads);
    ASSERT_EQ(detections.size(), expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) {
      ASSERT_EQ(detections[i].size(), expected[i].size()) << "image " << i;
      for (std::size_t k = 0; k < expected[i].size(); ++k) {
        const Detection& detection = detections[i][k];
        const auto row = expected[i][k].get<std::array<double, 6>>();
        EXPECT_EQ(detection.label, row[4]) << k;
        EXPECT_NEAR(detection.score, row[5], tolerance) << k;
        EXPECT_NEAR(detection.box.left, row[0], tolerance) << k;
        EXPECT_NEAR(detection.box.top, row[1], tolerance) << k;
        EXPECT_NEAR(detection.box.right, row[2], tolerance) << k;
        EXPECT_NEAR(detection.box.bottom, row[3], tolerance) << k;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Backbones, DetectorOnGolden, testing::Values("resnet18", "resnet50"));

// Outputs of one image with three classes: all background but for what a test raises.
struct Outputs {
  Tensor loc{DType::f32, {1, n, 4}};
  Tensor conf{DType::f32, {1, n, 3}};

  void raise(std::size_t box, std::size_t label, float logit) { conf.as<float>()[box * 3 + label] = logit; }
  std::vector<Detection> detect(const DetectorOptions& options = {}) {
    return ssd::detect({loc, conf}, options).at(0);
  }

  Outputs() {
    for (std::size_t d = 0; d < n; ++d) raise(d, 0, 20);
  }
};

TEST(Detector, ZeroOffsetsAreTheDefaultBoxes) {
  Outputs outputs;
  EXPECT_TRUE(outputs.detect().empty());
  outputs.raise(5000, 2, 20);  // as likely as the background
  const auto detections = outputs.detect();
  ASSERT_EQ(detections.size(), 1u);
  EXPECT_EQ(detections[0].box, ssd300_default_boxes().corners()[5000]);
  EXPECT_EQ(detections[0].label, 2);
  EXPECT_NEAR(detections[0].score, 0.5, 1e-6);
}

TEST(Detector, LimitsKeepTheBestScores) {
  Outputs outputs;
  // Every tenth box of a row of the finest map: none overlaps another.
  for (std::size_t i = 0; i < 12; ++i)
    outputs.raise(i % 4 * 10 + 38 * 12 * (i / 4), 1, 20 + 0.1f * static_cast<float>(i));
  EXPECT_EQ(outputs.detect().size(), 12u);
  const auto best = outputs.detect({.per_class = 5});
  ASSERT_EQ(best.size(), 5u);
  EXPECT_NEAR(best[0].score, 1 / (1 + std::exp(-1.1)), 1e-6);
  EXPECT_NEAR(best[4].score, 1 / (1 + std::exp(-0.7)), 1e-6);
  EXPECT_EQ(outputs.detect({.total = 3}).size(), 3u);
  EXPECT_EQ(outputs.detect({.score = 0.6f}).size(), 7u);  // logistic(0.5) is above 0.6
}

TEST(Detector, SuppressesWithinAClassOnly) {
  Outputs outputs;
  const std::size_t first = 4 * 38 * 38;  // map 19 x 19: neighbours overlap
  outputs.raise(first + 19 * 9 + 9, 1, 22);
  outputs.raise(first + 19 * 9 + 10, 1, 21);
  outputs.raise(first + 19 * 9 + 10, 2, 20);
  const auto loose = outputs.detect({.iou = 0.2f});
  ASSERT_EQ(loose.size(), 2u);
  EXPECT_EQ(loose[0].label, 1);
  EXPECT_EQ(loose[1].label, 2);
  EXPECT_EQ(outputs.detect({.iou = 0.9f}).size(), 3u);
}

TEST(Detector, RefusesOtherShapesAndOptions) {
  Outputs outputs;
  const Tensor few(DType::f32, {1, 100, 4});
  const Tensor two(DType::f32, {2, n, 3});
  EXPECT_THROW(detect({few, outputs.conf}), Error);
  EXPECT_THROW(detect({outputs.loc, two}), Error);
  EXPECT_THROW(detect({outputs.loc, Tensor(DType::u8, {1, n, 3})}), Error);
  EXPECT_THROW(outputs.detect({.score = 1}), Error);
  EXPECT_THROW(outputs.detect({.iou = -1}), Error);
}

TEST(ToCoco, ScalesToTheImage) {
  const std::vector<std::int64_t> categories{1, 3, 90};
  const DetectedBox box = to_coco({{0.25f, 0.5f, 0.75f, 1.0f}, 3, 0.5f}, {42, 640, 480, categories});
  EXPECT_EQ(box, (DetectedBox{42, 90, {160, 240, 320, 240}, 0.5}));
  EXPECT_THROW(to_coco({{}, 4, 0.5f}, {42, 640, 480, categories}), Error);
  EXPECT_THROW(to_coco({{}, 0, 0.5f}, {42, 640, 480, categories}), Error);
}

// One value among 700,000 is enough: a NaN overlap would count as a match.
TEST(Detect, RefusesOutputsThatAreNotFinite) {
  Tensor loc(DType::f32, {2, n, 4}), conf(DType::f32, {2, n, 3});
  EXPECT_NO_THROW(detect({loc, conf}));
  ThreadPool pool(2);
  for (Tensor* tensor : {&loc, &conf})
    for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                            -std::numeric_limits<float>::infinity()}) {
      float& last = tensor->as<float>().back();
      last = bad;
      EXPECT_THROW(detect({loc, conf}), Error);
      EXPECT_THROW(detect({loc, conf}, {}, &pool), Error);
      last = 0;
    }
}

TEST(Detect, RefusesOffsetsThatMakeNoBox) {
  Tensor loc(DType::f32, {1, n, 4}), conf(DType::f32, {1, n, 3});
  conf.as<float>()[1] = 9;  // the first default box is surely of class 1
  EXPECT_NO_THROW(detect({loc, conf}));
  loc.as<float>()[2] = 1e6f;  // the logarithm of its width
  EXPECT_THROW(detect({loc, conf}), Error);
}

}  // namespace
}  // namespace ssd
