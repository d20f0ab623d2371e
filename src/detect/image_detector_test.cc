// Files in, what was found in each out: order, batches, pixels, and images that cannot be read.
#include "detect/image_detector.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "boxes/default_boxes.h"
#include "testing/brightness_device.h"
#include "testing/late_device.h"
#include "testing/temporary_folder.h"
#include "testing/test_jpeg.h"

namespace ssd {
namespace {

const model::ModelOptions small{.backbone = model::Backbone::resnet18, .classes = 4};
const std::vector<CocoCategory> categories{{7, "dark"}, {8, "gray"}, {9, "bright"}};

class DetectFiles : public testing::Test {
 protected:
  // A JPEG of one gray value.
  std::string image(const std::string& name, int width, int height, int value, int orientation = 0) {
    const Image plain{width, height,
                      std::vector<std::uint8_t>(static_cast<std::size_t>(width * height) * 3,
                                                static_cast<std::uint8_t>(value))};
    const std::vector<std::byte> bytes = encode_jpeg(plain, {.orientation = orientation});
    return file(name, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  }
  std::string file(const std::string& name, const std::string& content) {
    std::ofstream(folder_.path() / name, std::ios::binary) << content;
    return (folder_.path() / name).string();
  }
  void detect(const std::vector<std::string>& files,
              DetectFilesOptions::Pixels pixels = DetectFilesOptions::Pixels::drop) {
    Predictor predictor(device_, small, {.batch = 2});
    detect_files(
        predictor, categories, files,
        {.pixels = pixels,
         .on_image = [&](DetectedImage found) { images_.push_back(std::move(found)); },
         .on_bad_image = [&](const std::string& bad,
                             const std::string& reason) { bad_.push_back(bad + "|" + reason); },
         .progress = [&](std::uint64_t done, std::uint64_t of) { progress_.push_back(10 * done + of); }});
  }

  TemporaryFolder folder_;
  BrightnessDevice device_;
  std::vector<DetectedImage> images_;
  std::vector<std::string> bad_;
  std::vector<std::uint64_t> progress_;
};

TEST_F(DetectFiles, GivesEveryImageItsOwnObjectsInTheOrderOfTheFiles) {
  const std::vector<std::string> files = {image("c.jpg", 40, 20, 250), image("a.jpg", 20, 40, 5),
                                          image("b.jpg", 30, 30, 128)};
  detect(files);
  ASSERT_EQ(images_.size(), 3u);
  const std::vector<std::int64_t> expected = {9, 7, 8};
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(images_[i].file, files[i]);
    ASSERT_EQ(images_[i].objects.size(), 1u) << i;
    EXPECT_EQ(images_[i].objects[0].category.id, expected[i]) << i;
    EXPECT_EQ(images_[i].objects[0].label, expected[i] - 6) << i;
    EXPECT_TRUE(images_[i].pixels.rgb.empty());
  }
  EXPECT_EQ(device_.steps, 2);
  EXPECT_EQ(progress_, (std::vector<std::uint64_t>{13, 23, 33}));
}

TEST_F(DetectFiles, GivesBoxesInPixelsClippedToTheImage) {
  detect({image("a.jpg", 400, 200, 5)});
  ASSERT_EQ(images_.size(), 1u);
  ASSERT_EQ(images_[0].objects.size(), 1u);
  const DetectedObject& object = images_[0].objects[0];
  const auto box = ssd300_default_boxes().centers()[0];
  const float right = box.cx + box.width / 2, bottom = box.cy + box.height / 2;
  ASSERT_LT(box.cx, box.width / 2) << "the first default box reaches over the left edge";
  EXPECT_EQ(object.left, 0);
  EXPECT_EQ(object.top, 0);
  EXPECT_NEAR(object.right, 400 * right, 1e-3);
  EXPECT_NEAR(object.bottom, 200 * bottom, 1e-3);
}

TEST_F(DetectFiles, AnImageThatCannotBeReadIsNamedAndTakesNoPlaceInABatch) {
  const std::string broken = file("broken.jpg", "no image"), missing = (folder_.path() / "none.jpg").string();
  detect({broken, image("a.jpg", 20, 20, 5), missing, image("b.jpg", 20, 20, 250)});
  ASSERT_EQ(images_.size(), 2u);
  EXPECT_EQ(images_[0].objects.at(0).label, 1);
  EXPECT_EQ(images_[1].objects.at(0).label, 3);
  EXPECT_EQ(device_.steps, 1);
  ASSERT_EQ(bad_.size(), 2u);
  EXPECT_TRUE(bad_[0].starts_with(broken + "|")) << bad_[0];
  EXPECT_TRUE(bad_[1].starts_with(missing + "|")) << bad_[1];
  EXPECT_EQ(progress_.back(), 44u);
}

TEST_F(DetectFiles, SizesAndPixelsAreOrientedAsExifSays) {
  detect({image("a.jpg", 40, 20, 5, 6)}, DetectFilesOptions::Pixels::keep);
  ASSERT_EQ(images_.size(), 1u);
  EXPECT_EQ(images_[0].width, 20);
  EXPECT_EQ(images_[0].height, 40);
  EXPECT_EQ(images_[0].pixels.width, 20);
  EXPECT_EQ(images_[0].pixels.height, 40);
  EXPECT_EQ(images_[0].pixels.rgb.size(), 3u * 20 * 40);
}

TEST_F(DetectFiles, RefusesALabelWithoutACategory) {
  Predictor predictor(device_, small, {.batch = 1});
  const std::vector<std::string> files = {image("b.jpg", 20, 20, 250)};
  EXPECT_THROW(detect_files(predictor, std::span(categories).first(2), files, {}), Error);
}

TEST_F(DetectFiles, AStepThatFailsEndsTheWork) {
  LateDevice failing(2);
  Predictor predictor(failing, small, {.batch = 1});
  const std::vector<std::string> files = {image("a.jpg", 20, 20, 5), image("b.jpg", 20, 20, 5)};
  int seen = 0;
  EXPECT_THROW(
      detect_files(predictor, categories, files, {.on_image = [&](const DetectedImage&) { ++seen; }}), Error);
  EXPECT_EQ(seen, 1);
  EXPECT_EQ(failing.in_flight, 0);
}

TEST(DetectedImagesJson, HoldsBoxesAsCocoDoesAndReplacesWhatIsNotUtf8) {
  const std::vector<DetectedImage> images{{.file = "a\xff.jpg",
                                           .width = 40,
                                           .height = 20,
                                           .objects = {{.left = 2,
                                                        .top = 3,
                                                        .right = 12,
                                                        .bottom = 8,
                                                        .label = 1,
                                                        .category = {7, "dark"},
                                                        .score = 0.5f}}},
                                          {.file = "b.jpg", .width = 1, .height = 2}};
  const auto json = nlohmann::json::parse(to_json(images));
  ASSERT_EQ(json.size(), 2u);
  EXPECT_EQ(json[0]["file"], "a\xef\xbf\xbd.jpg");
  EXPECT_EQ(json[0]["width"], 40);
  EXPECT_EQ(json[0]["height"], 20);
  EXPECT_EQ(
      json[0]["detections"],
      (nlohmann::json{
          {{"category_id", 7}, {"category", "dark"}, {"bbox", {2.0, 3.0, 10.0, 5.0}}, {"score", 0.5}}}));
  EXPECT_TRUE(json[1]["detections"].is_array());
  EXPECT_TRUE(json[1]["detections"].empty());
}

}  // namespace
}  // namespace ssd
