// Steps in flight when an evaluation ends early: their images outlive them.
#include "detect/evaluation.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "data/cache/open_dataset.h"
#include "data/dataset/dataset.h"
#include "testing/late_device.h"

namespace ssd {
namespace {

const model::ModelOptions small{.backbone = model::Backbone::resnet18, .classes = 4};

Dataset samples() { return open_dataset(std::string(SSD_SOURCE_DIR) + "/samples/blood-cells", "val2017"); }

TEST(DetectSet, WaitsForTheStepsInFlightWhenItIsStopped) {
  LateDevice device;
  Predictor predictor(device, small, {.batch = 2});
  const Dataset dataset = samples();
  EXPECT_THROW(detect_set(predictor, dataset, {.stop = [] { return true; }}), Error);
  EXPECT_EQ(device.in_flight, 0);
}

TEST(DetectSet, WaitsForTheStepsInFlightWhenAStepOrAnImageFails) {
  const Dataset dataset = samples();
  LateDevice failing(1);
  Predictor predictor(failing, small, {.batch = 2});
  EXPECT_THROW(detect_set(predictor, dataset, {}), Error);
  EXPECT_EQ(failing.in_flight, 0);

  Dataset broken = dataset;
  broken.samples[3].file = "/no/such/image.jpg";
  LateDevice device;
  Predictor other(device, small, {.batch = 2});
  EXPECT_THROW(detect_set(other, broken, {.bad_images = LoaderOptions::BadImages::fail}), Error);
  EXPECT_EQ(device.in_flight, 0);
}

}  // namespace
}  // namespace ssd
