// Many threads at one detector: each gets what its own images show.
#include "api/shared_detector.h"

#include <gtest/gtest.h>
#include <malloc.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "base/error.h"
#include "model/formula_weights.h"
#include "testing/brightness_device.h"
#include "testing/message_of.h"
#include "testing/test_jpeg.h"

namespace ssd {
namespace {

const model::ModelOptions small{.backbone = model::Backbone::resnet18, .classes = 4};

TrainedModel small_model() {
  return {.model = small,
          .categories = {{7, "dark"}, {8, "gray"}, {9, "bright"}},
          .weights = model::formula_weights(small)};
}

SharedDetector::Options on_brightness_device(std::int64_t batch) {
  return {.batch = batch, .make_device = [] { return std::make_unique<BrightnessDevice>(); }};
}

// Pixels of one gray value.
struct PlainImage {
  explicit PlainImage(int value) : pixels(20u * 10u, static_cast<std::uint8_t>(value)) {}
  InputImage input() const { return PixelBuffer{pixels.data(), 20, 10, 0, ChannelOrder::gray}; }

  std::vector<std::uint8_t> pixels;
};

TEST(SharedDetector, GivesEveryImageItsOwnObjectsInWhateverBatch) {
  const PlainImage dark(5), gray(128), bright(250);
  for (const std::int64_t batch : {1, 2, 3, 8}) {
    SharedDetector detector(small_model(), on_brightness_device(batch));
    const std::vector<InputImage> images{bright.input(), dark.input(), gray.input(), gray.input(),
                                         bright.input()};
    const std::vector<ImageResult> results = detector.detect(images, default_detector_options());
    ASSERT_EQ(results.size(), 5u);
    std::vector<std::int64_t> ids;
    for (const ImageResult& result : results) ids.push_back(result.found.objects.at(0).category.id);
    EXPECT_EQ(ids, (std::vector<std::int64_t>{9, 7, 8, 8, 9})) << "in batches of " << batch;
    EXPECT_EQ(results[0].found.width, 20);
    EXPECT_EQ(results[0].found.height, 10);
  }
}

TEST(SharedDetector, ABadImageHasItsReasonAndTheOthersTheirObjects) {
  const std::vector<std::byte> jpeg = encode_jpeg(Image{8, 8, std::vector<std::uint8_t>(192, 250)}, {});
  const std::string text = "no image";
  SharedDetector detector(small_model(), on_brightness_device(2));
  const std::vector<InputImage> images{EncodedImage{std::as_bytes(std::span(text))}, EncodedImage{jpeg},
                                       ImageFile{"/nowhere/a.jpg"}, PixelBuffer{}};
  const std::vector<ImageResult> results = detector.detect(images, default_detector_options());
  EXPECT_FALSE(results[0].error.empty());
  EXPECT_TRUE(results[1].error.empty());
  EXPECT_EQ(results[1].found.objects.at(0).label, 3);
  EXPECT_TRUE(results[2].error.starts_with("/nowhere/a.jpg: ")) << results[2].error;
  EXPECT_FALSE(results[3].error.empty());
  EXPECT_TRUE(detector.detect({}, default_detector_options()).empty());
}

// The numbers are those of one call after the other on the same device, which tests of the room detect hold.
TEST(SharedDetector, AnswersThreadsThatAskAtTheSameTime) {
  constexpr int threads = 8, calls = 40;
  const std::vector<PlainImage> images{PlainImage(5), PlainImage(128), PlainImage(250)};
  SharedDetector detector(small_model(), on_brightness_device(4));
  std::atomic<int> right{0};
  std::vector<std::thread> askers;
  for (int t = 0; t < threads; ++t)
    askers.emplace_back([&, t] {
      for (int c = 0; c < calls; ++c) {
        const auto first = static_cast<std::size_t>(t + c) % 3, second = (first + 1) % 3;
        const std::vector<InputImage> asked{images[first].input(), images[second].input()};
        const auto results = detector.detect(asked, default_detector_options());
        right += results[0].found.objects.at(0).label == static_cast<int>(first) + 1;
        right += results[1].found.objects.at(0).label == static_cast<int>(second) + 1;
      }
    });
  for (std::thread& asker : askers) asker.join();
  EXPECT_EQ(right, 2 * threads * calls);
}

// Bytes of the heap in use; sanitizers count nothing here.
std::size_t heap_bytes() {
  const struct mallinfo2 info = ::mallinfo2();
  return info.uordblks + info.hblkhd;
}

TEST(SharedDetector, MemoryStaysFlatOverManyImages) {
  constexpr int threads = 4, calls = 60;
  const std::vector<std::byte> jpeg = encode_jpeg(Image{80, 60, std::vector<std::uint8_t>(14400, 250)}, {});
  SharedDetector detector(small_model(), on_brightness_device(2));
  const auto ask = [&] {
    const std::string text = "no image";
    const std::vector<InputImage> images{EncodedImage{jpeg}, EncodedImage{std::as_bytes(std::span(text))}};
    for (int c = 0; c < calls; ++c) detector.detect(images, default_detector_options());
  };
  const auto ask_from_threads = [&] {
    std::vector<std::thread> askers;
    for (int t = 0; t < threads; ++t) askers.emplace_back(ask);
    for (std::thread& asker : askers) asker.join();
  };
  ask_from_threads();
  const std::size_t before = heap_bytes();
  for (int round = 0; round < 3; ++round) ask_from_threads();
  // An image takes 270,000 bytes on its way; what threads keep between images is less.
  EXPECT_LT(heap_bytes(), before + 1'000'000);
}

TEST(SharedDetector, OptionsOutOfRangeAreRefusedByName) {
  SharedDetector detector(small_model(), on_brightness_device(1));
  const auto refusal = [&](const DetectorOptions& options) {
    return message_of([&] { detector.detect({}, options); });
  };
  EXPECT_NE(refusal({.score = 1.0f}).find("score: got 1"), std::string::npos);
  EXPECT_NE(refusal({.score = NAN}).find("score: got nan"), std::string::npos);
  EXPECT_NE(refusal({.iou = -0.5f}).find("iou: got -0.5"), std::string::npos);
  EXPECT_NE(refusal({.total = 0}).find("top: got 0"), std::string::npos);
  EXPECT_NE(
      message_of([] { SharedDetector bad(small_model(), on_brightness_device(0)); }).find("batch: got 0"),
      std::string::npos);
}

TEST(SharedDetector, ADeviceThatCannotBeMadeIsTheConstructorsError) {
  const SharedDetector::Options options{
      .make_device = []() -> std::unique_ptr<graph::Device> { throw Error("no such device"); }};
  EXPECT_EQ(message_of([&] { SharedDetector detector(small_model(), options); }), "no such device");
}

TEST(SharedDetector, AForkedProcessIsToldToOpenItsOwn) {
  SharedDetector detector(small_model(), on_brightness_device(1));
  const PlainImage dark(5);
  const pid_t child = ::fork();
  if (child == 0) {
    const std::vector<InputImage> images{dark.input()};
    const std::string message = message_of([&] { detector.detect(images, default_detector_options()); });
    ::_exit(message.find("after the fork") == std::string::npos ? 1 : 0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

}  // namespace
}  // namespace ssd
