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
