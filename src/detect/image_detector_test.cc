// Files in, what was found in each out: order, batches, pixels, and images that cannot be read.
#include "detect/image_detector.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <mutex>
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
  // With drawings, whose pixels' sizes are kept.
  void detect(const std::vector<std::string>& files) {
    Predictor predictor(device_, small, {.batch = 2});
    detect_files(
        predictor, categories, files,
        {.threads = 3,
         .on_image = [&](DetectedImage found) { images_.push_back(std::move(found)); },
         .on_bad_image = [&](const std::string& bad,
                             const std::string& reason) { bad_.push_back(bad + "|" + reason); },
         .on_undrawn = [&](const std::string& bad,
                           const std::string& reason) { undrawn_.push_back(bad + "|" + reason); },
         .progress = [&](std::uint64_t done, std::uint64_t of) { progress_.push_back(100 * done + of); },
         .name_drawing = [&](const DetectedImage& named) { return "drawing of " + named.file; },
         .draw =
             [&](const DetectedImage& image, const Image& pixels) {
               if (image.file.ends_with("undrawable.jpg")) throw Error("no room");
               const std::scoped_lock lock(mutex_);
               drawn_[image.drawing] = pixels;
               objects_drawn_ += image.objects.size();
             }});
  }

  TemporaryFolder folder_;
  BrightnessDevice device_;
  std::vector<DetectedImage> images_;
  std::vector<std::string> bad_, undrawn_;
  std::mutex mutex_;
  std::map<std::string, Image> drawn_;
  std::size_t objects_drawn_ = 0;
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
    EXPECT_EQ(images_[i].drawing, "drawing of " + files[i]);
    EXPECT_EQ(drawn_.at(images_[i].drawing).width, images_[i].width);
  }
  EXPECT_EQ(device_.steps, 2);
  EXPECT_EQ(progress_, (std::vector<std::uint64_t>{103, 203, 303}));
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
  EXPECT_EQ(progress_.back(), 404u);
}

TEST_F(DetectFiles, SizesAndPixelsAreOrientedAsExifSays) {
  detect({image("a.jpg", 40, 20, 5, 6)});
  ASSERT_EQ(images_.size(), 1u);
  EXPECT_EQ(images_[0].width, 20);
  EXPECT_EQ(images_[0].height, 40);
  const Image& pixels = drawn_.at(images_[0].drawing);
  EXPECT_EQ(pixels.width, 20);
  EXPECT_EQ(pixels.height, 40);
  EXPECT_EQ(pixels.rgb.size(), 3u * 20 * 40);
}

// Many more than are on their way at once, of which every third cannot be read: all come out, in order, with
// their own objects.
TEST_F(DetectFiles, KeepsTheOrderOfManyFiles) {
  std::vector<std::string> files, readable;
  for (int i = 0; i < 60; ++i) {
    const std::string name = fmt::format("{:02}.jpg", i);
    files.push_back(i % 3 == 1 ? file(name, "no image") : image(name, 20 + i, 20, i % 2 == 0 ? 5 : 250));
    if (i % 3 != 1) readable.push_back(files.back());
  }
  detect(files);
  ASSERT_EQ(images_.size(), readable.size());
  for (std::size_t i = 0; i < images_.size(); ++i) {
    EXPECT_EQ(images_[i].file, readable[i]);
    const int number = images_[i].width - 20;
    EXPECT_EQ(fmt::format("{:02}.jpg", number), std::filesystem::path(readable[i]).filename());
    EXPECT_EQ(images_[i].objects.at(0).label, number % 2 == 0 ? 1 : 3) << number;
  }
  EXPECT_EQ(bad_.size(), 20u);
  EXPECT_TRUE(std::ranges::is_sorted(bad_));
  EXPECT_EQ(drawn_.size(), 40u);
  EXPECT_EQ(objects_drawn_, 40u);
  EXPECT_TRUE(std::ranges::is_sorted(progress_));
  EXPECT_EQ(device_.steps, 20);
}

TEST_F(DetectFiles, AnImageThatCannotBeDrawnKeepsItsObjects) {
  detect({image("a.jpg", 20, 20, 5), image("undrawable.jpg", 20, 20, 250)});
  ASSERT_EQ(images_.size(), 2u);
  EXPECT_EQ(images_[1].objects.at(0).label, 3);
  EXPECT_EQ(images_[1].drawing, "");
  ASSERT_EQ(undrawn_.size(), 1u);
  EXPECT_TRUE(undrawn_[0].ends_with("undrawable.jpg|no room")) << undrawn_[0];
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
