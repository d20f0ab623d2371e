// Steps in flight when an evaluation ends early: their images outlive them.
#include "detect/evaluation.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "data/cache/open_dataset.h"
#include "data/dataset/dataset.h"
#include "eval/detections_json.h"
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

// Numbers of pycocotools 2.0.11 for this ground truth with ids as numbers and as texts: of two detections
// with equal scores that of the earlier image counts first, and as a text "10" comes before "9".
TEST(EvaluateDetections, IdsThatAreTextsOrderImagesAsTextsDo) {
  const auto precision_with = [](const std::string& nine, const std::string& ten) {
    const CocoFile truth = parse_coco(fmt::format(R"({{"images": [{{"id": {0}}}, {{"id": {1}}}],
        "categories": [{{"id": 1}}], "annotations": [
        {{"id": 1, "image_id": {0}, "category_id": 1, "bbox": [0, 0, 10, 10], "area": 100}},
        {{"id": 2, "image_id": {1}, "category_id": 1, "bbox": [0, 0, 10, 10], "area": 100}}]}})",
                                                  nine, ten),
                                      "a.json", {.fields = CocoReadOptions::Fields::ids});
    const std::vector<DetectedBox> detections = parse_detections(
        fmt::format(R"([{{"image_id": {0}, "category_id": 1, "bbox": [0, 0, 10, 10], "score": 0.5}},
                        {{"image_id": {1}, "category_id": 1, "bbox": [50, 0, 10, 10], "score": 0.5}}])",
                    nine, ten),
        "b.json");
    return evaluate_detections(truth, detections).numbers[0];
  };
  EXPECT_EQ(precision_with("9", "10"), 0.5049504950495048);
  EXPECT_EQ(precision_with("\"9\"", "\"10\""), 0.2524752475247525);
  EXPECT_EQ(precision_with("\"a/9.jpg\"", "\"a/10.jpg\""), 0.2524752475247525);
  EXPECT_EQ(precision_with("\"a\"", "\"b\""), 0.5049504950495048);
}

}  // namespace
}  // namespace ssd
