// The shared library as a program sees it, by both headers, with a real network.
#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <singleshot/singleshot.hpp>
#include <string>
#include <thread>
#include <vector>

#include "backend/cpu/cpu_device.h"
#include "detect/image_detector.h"
#include "detect/trained_model.h"
#include "image/format.h"
#include "model/formula_weights.h"
#include "testing/file_content.h"
#include "testing/temporary_folder.h"
#include "testing/test_jpeg.h"
#include "weights/checkpoint.h"

namespace ssd {
namespace {

const model::ModelOptions small{.backbone = model::Backbone::resnet18, .classes = 4};
constexpr const char* state_json =
    R"({"model": {"backbone": "resnet18", "stride_in": "3x3", "classes": 4},
        "categories": [{"id": 10, "name": "a"}, {"id": 20, "name": "b"}, {"id": 30, "name": "c"}]})";
const singleshot::DetectOptions low{0.26f, 0.45f, 200};  // of random weights no score is high

class CApi : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new TemporaryFolder;
    write_checkpoint(folder_->path(), 1, {model::formula_weights(small), {}, state_json});
    const std::vector<std::byte> bytes = encode_jpeg(Image{90, 60, pixels()}, {});
    std::ofstream(photo(), std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    detector_ = new singleshot::Detector(folder_->path().string(), {1, 1, 0});
  }
  static void TearDownTestSuite() {
    delete detector_;
    delete folder_;
  }

  static std::string photo() { return (folder_->path() / "photo.jpg").string(); }
  static std::vector<std::uint8_t> pixels() {
    std::vector<std::uint8_t> rgb;
    for (int y = 0; y < 60; ++y)
      for (int x = 0; x < 90; ++x)
        for (int c = 0; c < 3; ++c) rgb.push_back(static_cast<std::uint8_t>((x * (c + 2) + y * 3) % 256));
    return rgb;
  }

  static TemporaryFolder* folder_;
  static singleshot::Detector* detector_;
};
TemporaryFolder* CApi::folder_ = nullptr;
singleshot::Detector* CApi::detector_ = nullptr;

// Through the room detect, as the program does it.
std::vector<DetectedObject> objects_of_program(const std::string& folder, const std::string& file,
                                               DType precision = DType::f32) {
  TrainedModel model = read_model(folder);
  model.model.compute = precision;
  const auto device = cpu::make_device({.threads = 1});
  Predictor predictor(*device, model.model,
                      {.batch = 1, .detector = {.score = low.score, .iou = low.iou, .total = 200}});
  predictor.load(model.weights);
  std::vector<DetectedObject> objects;
  const std::vector<std::string> files{file};
  detect_files(predictor, model.categories, files,
               {.on_image = [&](DetectedImage image) { objects = std::move(image.objects); }});
  return objects;
}

void expect_same(const std::vector<singleshot::Object>& got, const std::vector<DetectedObject>& expected) {
  ASSERT_EQ(got.size(), expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    EXPECT_EQ(got[i].left, expected[i].left);
    EXPECT_EQ(got[i].top, expected[i].top);
    EXPECT_EQ(got[i].right, expected[i].right);
    EXPECT_EQ(got[i].bottom, expected[i].bottom);
    EXPECT_EQ(got[i].score, expected[i].score);
    EXPECT_EQ(got[i].label, expected[i].label);
    EXPECT_EQ(got[i].category_id, expected[i].category.id);
  }
}

TEST_F(CApi, FindsWhatTheProgramFindsInFilesAndBytes) {
  const auto expected = objects_of_program(folder_->path().string(), photo());
  ASSERT_FALSE(expected.empty());
  const std::string bytes = content_of(photo());
  const singleshot::Result of_file = detector_->detect(singleshot::Image::file(photo()), low);
  EXPECT_EQ(of_file.width, 90);
  EXPECT_EQ(of_file.height, 60);
  expect_same(of_file.objects, expected);
  expect_same(detector_->detect(singleshot::Image::encoded(bytes.data(), bytes.size()), low).objects,
              expected);
  const Image decoded = decode_image(std::as_bytes(std::span(bytes)));
  expect_same(
      detector_->detect(singleshot::Image::pixels(decoded.rgb.data(), 90, 60, singleshot::Pixels::rgb), low)
          .objects,
      expected);
}

TEST_F(CApi, InBf16ItFindsWhatTheProgramFinds) {
  try {
    const singleshot::Detector detector(folder_->path().string(), {.precision = SINGLESHOT_BF16});
    const auto expected = objects_of_program(folder_->path().string(), photo(), DType::bf16);
    ASSERT_FALSE(expected.empty());
    expect_same(detector.detect(singleshot::Image::file(photo()), low).objects, expected);
  } catch (const singleshot::Error& error) {
    if (std::string(error.what()).find("AVX512_BF16") == std::string::npos) throw;
    GTEST_SKIP() << error.what();
  }
}

TEST_F(CApi, ManyThreadsGetTheSameAnswer) {
  const auto expected = objects_of_program(folder_->path().string(), photo());
  std::vector<std::thread> threads;
  std::atomic<int> equal{0};
  for (int t = 0; t < 8; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 3; ++i)
        equal += detector_->detect(singleshot::Image::file(photo()), low).objects.size() == expected.size();
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(equal, 24);
}

TEST_F(CApi, SaysTheClasses) {
  EXPECT_EQ(detector_->category_count(), 3);
  EXPECT_EQ(detector_->category(2).id, 20);
  EXPECT_EQ(detector_->category(3).name, "c");
  EXPECT_THROW(detector_->category(0), singleshot::Error);
  EXPECT_THROW(detector_->category(4), singleshot::Error);
  EXPECT_FALSE(singleshot::version().empty());
}

TEST_F(CApi, ErrorsAreValues) {
  singleshot_error error;
  singleshot_detector* detector = nullptr;
  EXPECT_EQ(singleshot_detector_open("/nowhere", nullptr, &detector, &error), SINGLESHOT_BAD_MODEL);
  EXPECT_EQ(detector, nullptr);
  EXPECT_EQ(error.status, SINGLESHOT_BAD_MODEL);
  EXPECT_TRUE(std::string(error.message).starts_with("/nowhere")) << error.message;
  EXPECT_EQ(singleshot_detector_open(nullptr, nullptr, &detector, nullptr), SINGLESHOT_BAD_ARGUMENT);
  EXPECT_EQ(singleshot_detector_open("a", nullptr, nullptr, &error), SINGLESHOT_BAD_ARGUMENT);
  singleshot_detector_options options = SINGLESHOT_DETECTOR_OPTIONS_INIT;
  options.size = 1000;
  EXPECT_EQ(singleshot_detector_open("a", &options, &detector, &error), SINGLESHOT_BAD_ARGUMENT);
  for (const singleshot_detector_options& bad : {singleshot_detector_options{sizeof(options), -1, 1, 0},
                                                 {sizeof(options), 1, 0, 0},
                                                 {sizeof(options), 1, 1, 2},
                                                 {sizeof(options), 1, 1, 0, 7}})
    EXPECT_EQ(singleshot_detector_open("a", &bad, &detector, &error), SINGLESHOT_BAD_ARGUMENT)
        << error.message;
  // As a program gives them that was built before there was a precision: what lies behind is not looked at.
  singleshot_detector_options older = {offsetof(singleshot_detector_options, precision), 0, 1, 0, 7};
  EXPECT_EQ(singleshot_detector_open("/nowhere", &older, &detector, &error), SINGLESHOT_BAD_MODEL)
      << error.message;
  singleshot_results* results = nullptr;
  EXPECT_EQ(singleshot_detect(nullptr, nullptr, 0, nullptr, &results, &error), SINGLESHOT_BAD_ARGUMENT);
  singleshot_detector_close(nullptr);
  singleshot_results_free(nullptr);
  EXPECT_EQ(singleshot_results_count(nullptr), 0u);
  EXPECT_EQ(singleshot_results_at(nullptr, 0), nullptr);
  EXPECT_EQ(singleshot_category_count(nullptr), 0);
}

TEST_F(CApi, ABadImageIsNamedAndCostsNoOther) {
  const std::vector<singleshot::Result> results =
      detector_->detect({singleshot::Image::encoded("text", 4), singleshot::Image::file(photo())}, low);
  ASSERT_EQ(results.size(), 2u);
  EXPECT_FALSE(results[0].error.empty());
  EXPECT_TRUE(results[1].error.empty());
  EXPECT_FALSE(results[1].objects.empty());
  try {
    detector_->detect(singleshot::Image::file("/nowhere.jpg"));
    FAIL() << "expected an Error";
  } catch (const singleshot::Error& error) {
    EXPECT_EQ(error.status(), SINGLESHOT_BAD_IMAGE);
    EXPECT_TRUE(std::string(error.what()).starts_with("/nowhere.jpg")) << error.what();
  }
  EXPECT_THROW(detector_->detect(singleshot::Image::file(photo()), {1.0f, 0.5f, 200}), singleshot::Error);
  const std::uint8_t pixel[3] = {};
  EXPECT_THROW(detector_->detect(singleshot::Image::pixels(pixel, 1, 1, static_cast<singleshot::Pixels>(77))),
               singleshot::Error);
}

}  // namespace
}  // namespace ssd
