#include "train/evaluator.h"

#include <gtest/gtest.h>

#include <mutex>

#include "data/cache/open_dataset.h"
#include "model/state.h"
#include "testing/fake_device.h"
#include "testing/thread_communicator.h"

namespace ssd {
namespace {

const model::ModelOptions small{.backbone = model::Backbone::resnet18, .classes = 4};

ValidationSet cells(std::size_t images) {
  const CocoPaths paths = coco_paths(std::string(SSD_SOURCE_DIR) + "/samples/blood-cells", "val2017");
  ValidationSet set{read_coco(paths.annotations), read_dataset(paths)};
  set.dataset.samples.resize(images);
  return set;
}

Evaluator make(FakeDevice& device, const ValidationSet* validation, Communicator& communicator,
               std::vector<int> epochs) {
  return Evaluator(device, small, validation, communicator, {.epochs = std::move(epochs), .batch = 2});
}

TEST(Evaluator, WithoutAValidationSetIsNeverDue) {
  FakeDevice device;
  SingleProcess alone;
  const ValidationSet set = cells(1);
  EXPECT_EQ(make(device, &set, alone, {1}).due({1, 1, 2}), 1u);
  EXPECT_EQ(make(device, nullptr, alone, {1}).due({1, 1, 2}), std::nullopt);
}

TEST(Evaluator, ReportsAndGivesUpWhenItIsToStop) {
  FakeDevice device;
  SingleProcess alone;
  ValidationSet set = cells(5);
  set.dataset.samples[3].file = "/no/such/image.jpg";
  Evaluator evaluator = make(device, &set, alone, {0});
  std::atomic<bool> asked = false;
  AgreedStop stop(asked, alone);
  std::vector<std::string> bad;
  std::uint64_t last = 0;
  const TensorMap weights = model::initial_weights(small, 1);
  const auto report =
      evaluator.evaluate(weights, stop,
                         {.on_bad_image = [&](const BadImage& image) { bad.push_back(image.file); },
                          .progress = [&](std::uint64_t done, std::uint64_t) { last = done; }});
  ASSERT_TRUE(report.has_value());
  EXPECT_EQ(report->bad_images, 1u);
  EXPECT_EQ(bad, std::vector<std::string>{"/no/such/image.jpg"});
  EXPECT_EQ(last, 5u);
  EXPECT_EQ(report->detections, 4u * 200);  // equal scores for all: the most that an image may have
  const auto cut_off = evaluator.evaluate(
      weights, stop, {.on_bad_image = {}, .progress = [&](std::uint64_t, std::uint64_t) { asked = true; }});
  EXPECT_FALSE(cut_off.has_value());
}

// Five images among two processes are 3 and 2; rank 0 reports on all, each counted once.
TEST(Evaluator, ProcessesShareTheImages) {
  ValidationSet set = cells(5);
  set.dataset.samples[2].file = "/no/such/image.jpg";  // of rank 1's share
  const TensorMap weights = model::initial_weights(small, 1);
  std::mutex mutex;
  std::vector<std::size_t> detections(2), bad_images(2);
  ThreadGroup(2).run([&](Communicator& communicator) {
    FakeDevice device;
    const std::atomic<bool> asked = false;
    AgreedStop stop(asked, communicator);
    const auto report = make(device, &set, communicator, {0}).evaluate(weights, stop, {});
    const std::scoped_lock lock(mutex);
    ASSERT_TRUE(report.has_value());
    detections[static_cast<std::size_t>(communicator.rank())] = report->detections;
    bad_images[static_cast<std::size_t>(communicator.rank())] = report->bad_images;
  });
  EXPECT_EQ(detections, (std::vector<std::size_t>{4 * 200, 0}));
  EXPECT_EQ(bad_images, (std::vector<std::size_t>{1, 0}));
}

}  // namespace
}  // namespace ssd
