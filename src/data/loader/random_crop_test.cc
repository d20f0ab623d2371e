#include "data/loader/random_crop.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "testing/golden_file.h"

namespace ssd {
namespace {

// The boxes of each image of coco-subset's training split that has any.
std::vector<std::vector<LabeledBox>> training_boxes(const std::string& path) {
  std::ifstream stream(path);
  const auto json = nlohmann::json::parse(stream);
  std::map<std::int64_t, std::pair<float, float>> sizes;
  for (const auto& image : json.at("images")) sizes[image.at("id")] = {image.at("width"), image.at("height")};
  std::map<std::int64_t, std::vector<LabeledBox>> boxes;
  for (const auto& annotation : json.at("annotations")) {
    const auto [width, height] = sizes.at(annotation.at("image_id"));
    const auto b = annotation.at("bbox").get<std::vector<float>>();
    boxes[annotation.at("image_id")].push_back(
        {{b[0] / width, b[1] / height, (b[0] + b[2]) / width, (b[1] + b[3]) / height}, 1});
  }
  std::vector<std::vector<LabeledBox>> out;
  for (auto& [id, list] : boxes) out.push_back(std::move(list));
  return out;
}

std::vector<double> quantiles(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  std::vector<double> out;
  for (const double q : {0.05, 0.25, 0.5, 0.75, 0.95}) {
    out.push_back(values[static_cast<std::size_t>(q * static_cast<double>(values.size() - 1))]);
  }
  return out;
}

void expect_near(const std::vector<double>& got, const nlohmann::json& expected, const char* what) {
  for (std::size_t i = 0; i < got.size(); ++i)
    EXPECT_NEAR(got[i], expected.at(i).get<double>(), 0.02) << what << i;
}

TEST(RandomCrop, IsDistributedAsDalis) {
  SSD_NEEDS_GOLDEN("augment.json");
  const auto golden = GoldenFile::json("augment.json").at("random_crop");
  const auto images = training_boxes(std::string(SSD_SOURCE_DIR) +
                                     "/../shared/data/coco-subset/annotations/instances_train2017.json");
  ASSERT_EQ(images.size(), 237u);
  std::vector<double> widths, heights, areas;
  double whole = 0, kept_share = 0, count = 0;
  for (std::uint32_t pass = 0; pass < 40; ++pass) {
    for (std::size_t i = 0; i < images.size(); ++i) {
      Random random(11, pass, i);
      const Box crop = random_crop(images[i], random);
      std::vector<LabeledBox> kept;
      keep_boxes(images[i], crop, crop, kept);
      kept_share += static_cast<double>(kept.size()) / static_cast<double>(images[i].size());
      ++count;
      if (crop == whole_image) {
        ++whole;
        continue;
      }
      widths.push_back(crop.right - crop.left);
      heights.push_back(crop.bottom - crop.top);
      areas.push_back(widths.back() * heights.back());
    }
  }
  EXPECT_NEAR(whole / count, golden.at("whole_image_share").get<double>(), 0.02);
  EXPECT_NEAR(kept_share / count, golden.at("kept_boxes_share_mean").get<double>(), 0.02);
  expect_near(quantiles(widths), golden.at("of cropped: width 5/25/50/75/95%"), "width ");
  expect_near(quantiles(heights), golden.at("height"), "height ");
  expect_near(quantiles(areas), golden.at("area"), "area ");
}

TEST(RandomCrop, StaysInsideAndKeepsABox) {
  const std::vector<LabeledBox> boxes = {{{0.1f, 0.1f, 0.2f, 0.3f}, 1}, {{0.5f, 0.4f, 0.99f, 0.8f}, 2}};
  int crops = 0;
  for (std::uint64_t i = 0; i < 2000; ++i) {
    Random random(3, 0, i);
    const Box crop = random_crop(boxes, random);
    if (crop == whole_image) continue;
    ++crops;
    EXPECT_GE(crop.left, 0);
    EXPECT_LE(crop.right, 1.0001f);
    EXPECT_GE(crop.top, 0);
    EXPECT_LE(crop.bottom, 1.0001f);
    std::vector<LabeledBox> kept;
    keep_boxes(boxes, crop, crop, kept);
    EXPECT_FALSE(kept.empty());
  }
  EXPECT_GT(crops, 200);
}

// Expected: what testdata/crop_retry.py printed for the same images.
TEST(RandomCrop, FiftyAttemptsAThresholdAreDistributedAsInTheOlderPipeline) {
  struct Expected {
    double whole;
    std::vector<double> areas, widths;
    std::vector<LabeledBox> boxes;
  };
  const std::vector<Expected> images = {
      {0.4977,
       {0.1976, 0.3513, 0.4835, 0.6235, 0.8236},
       {0.4021, 0.5684, 0.7100, 0.8476, 0.9677},
       {{{0.1f, 0.1f, 0.2f, 0.3f}, 1}, {{0.5f, 0.4f, 0.99f, 0.8f}, 1}}},
      {0.1760,
       {0.2140, 0.3434, 0.4470, 0.5742, 0.7766},
       {0.4079, 0.5238, 0.6384, 0.7831, 0.9482},
       {{{0.3f, 0.2f, 0.8f, 0.9f}, 1}}},
      {0.5014,
       {0.1783, 0.3134, 0.4525, 0.6006, 0.8123},
       {0.3771, 0.5266, 0.6740, 0.8275, 0.9637},
       {{{0.05f, 0.55f, 0.25f, 0.75f}, 1}, {{0.4f, 0.5f, 0.6f, 0.8f}, 1}, {{0.7f, 0.1f, 0.9f, 0.3f}, 1}}},
      {0.4999,
       {0.1892, 0.3265, 0.4613, 0.6065, 0.8163},
       {0.3967, 0.5396, 0.6804, 0.8340, 0.9640},
       {{{0, 0, 1, 1}, 1}, {{0.45f, 0.45f, 0.55f, 0.55f}, 1}}}};
  constexpr int draws = 10000;
  for (const Expected& expected : images) {
    std::vector<double> widths, areas;
    for (std::uint64_t i = 0; i < draws; ++i) {
      Random random(7, 3, i);
      const Box crop = random_crop(expected.boxes, random, {.attempts = retried_crop_attempts});
      if (crop == whole_image) continue;
      widths.push_back(crop.right - crop.left);
      areas.push_back(area(crop));
    }
    EXPECT_NEAR(1 - static_cast<double>(widths.size()) / draws, expected.whole, 0.02);
    expect_near(quantiles(widths), expected.widths, "width ");
    expect_near(quantiles(areas), expected.areas, "area ");
  }
}

TEST(RandomCrop, NeedsNoBoxes) {
  Random random(1, 0, 0);
  EXPECT_EQ(random_crop({}, random), whole_image);
}

TEST(KeepBoxes, DropsClipsAndMoves) {
  const std::vector<LabeledBox> boxes = {{{0.0f, 0.0f, 0.2f, 0.2f}, 1},      // centre outside
                                         {{0.25f, 0.25f, 0.75f, 0.75f}, 2},  // half inside
                                         {{0.9f, 0.9f, 0.9f, 1.0f}, 3}};     // empty
  const Box crop = {0.5f, 0.5f, 1.0f, 1.0f};
  std::vector<LabeledBox> kept;
  keep_boxes(boxes, crop, crop, kept);
  ASSERT_EQ(kept.size(), 1u);
  EXPECT_EQ(kept[0].label, 2);
  EXPECT_EQ(kept[0].box, (Box{0, 0, 0.5f, 0.5f}));
  keep_boxes(boxes, whole_image, whole_image, kept);
  EXPECT_EQ(kept.size(), 2u);
}

}  // namespace
}  // namespace ssd
