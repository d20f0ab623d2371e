#include "verify/exported_outputs.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "base/error.h"
#include "boxes/default_boxes.h"
#include "model/formula_weights.h"
#include "testing/brightness_device.h"
#include "testing/message_of.h"
#include "verify/largest.h"

namespace ssd {
namespace {

constexpr std::int64_t count = 3, classes = 4;

// The networks that BrightnessDevice stands for. It finds label 1, 2 and 3 in these images, with logits 20
// against three times 0, at the first default box.
const TrainedModel& network() {
  static const TrainedModel model = [] {
    TrainedModel result;
    result.model = {.backbone = model::Backbone::resnet18, .classes = classes};
    result.weights = model::formula_weights(result.model);
    return result;
  }();
  return model;
}

Tensor images() {
  Tensor result(DType::u8, {count, 300, 300, 3});
  const std::size_t bytes = result.bytes() / count;
  for (std::size_t i = 0; i < count; ++i)
    std::ranges::fill(result.as<std::uint8_t>().subspan(i * bytes, bytes),
                      static_cast<std::uint8_t>(100 * i));
  return result;
}

std::size_t class_of(std::size_t image, std::size_t box) { return box == 0 ? image + 1 : 0; }

// Values (N, 8732, parts), or with the parts first.
Tensor dense(std::int64_t parts, bool parts_first, const auto& value) {
  Tensor result(DType::f32, parts_first ? Shape{count, parts, default_box_count}
                                        : Shape{count, default_box_count, parts});
  const auto many = static_cast<std::size_t>(parts);
  for (std::size_t image = 0; image < count; ++image)
    for (std::size_t box = 0; box < default_box_count; ++box)
      for (std::size_t part = 0; part < many; ++part) {
        const std::size_t place = parts_first ? part * default_box_count + box : box * many + part;
        result.as<float>()[image * default_box_count * many + place] = value(image, box, part);
      }
  return result;
}

ExportedOutputs raw_outputs(bool parts_first) {
  ExportedOutputs outputs{.name = "out.npz", .arrays = {}};
  outputs.arrays.emplace("loc", dense(4, parts_first, [](auto...) { return 0.0f; }));
  outputs.arrays.emplace("conf", dense(classes, parts_first, [](auto image, auto box, auto part) {
                           return part == class_of(image, box) ? 20.0f : 0.0f;
                         }));
  return outputs;
}

// Softmax of 20 and three zeros.
double object_score() { return 1 / (1 + 3 * std::exp(-20.0)); }

ExportedOutputs box_outputs() {
  ExportedOutputs outputs{.name = "out.npz", .arrays = {}};
  outputs.arrays.emplace("boxes", dense(4, false, [](auto, auto box, auto part) {
                           const Box& b = ssd300_default_boxes().corners()[box];
                           return std::array{b.left, b.top, b.right, b.bottom}[part];
                         }));
  outputs.arrays.emplace("scores", dense(classes, false, [](auto image, auto box, auto part) {
                           const double score = object_score();
                           return static_cast<float>(part == class_of(image, box) ? score : (1 - score) / 3);
                         }));
  return outputs;
}

// Two places an image, of which one is filled.
ExportedOutputs detections() {
  ExportedOutputs outputs{.name = "out.npz", .arrays = {}};
  Tensor boxes(DType::f32, {count, 2, 4}), scores(DType::f32, {count, 2}), labels(DType::i64, {count, 2}),
      counts(DType::i64, {count});
  const Box& box = ssd300_default_boxes().corners()[0];
  for (std::size_t i = 0; i < count; ++i) {
    std::ranges::copy(std::array{box.left, box.top, box.right, box.bottom},
                      boxes.as<float>().begin() + 8 * i);
    scores.as<float>()[2 * i] = static_cast<float>(object_score());
    labels.as<std::int64_t>()[2 * i] = static_cast<std::int64_t>(i) + 1;
    counts.as<std::int64_t>()[i] = 1;
  }
  outputs.arrays.emplace("boxes", std::move(boxes));
  outputs.arrays.emplace("scores", std::move(scores));
  outputs.arrays.emplace("labels", std::move(labels));
  outputs.arrays.emplace("count", std::move(counts));
  return outputs;
}

// Batches of two: the last one is not full.
VerifyReport verified(const ExportedOutputs& outputs, DType precision = DType::f32) {
  BrightnessDevice device;
  return verify_exported(outputs, images(), device, network(),
                         {.precision = precision, .detector = {}, .batch = 2, .progress = {}});
}

std::string refusal(const ExportedOutputs& outputs) {
  return message_of([&] { verified(outputs); });
}

TEST(ExportedOutputs, HoldWhereTheyAreTheNetworks) {
  for (const bool parts_first : {false, true}) {
    const VerifyReport report = verified(raw_outputs(parts_first));
    ASSERT_EQ(report.rows.size(), 2u);
    EXPECT_EQ(report.rows[0].error + report.rows[1].error, 0) << to_text(report);
  }
  EXPECT_TRUE(verified(box_outputs()).ok()) << to_text(verified(box_outputs()));
  EXPECT_TRUE(verified(detections()).ok()) << to_text(verified(detections()));
}

TEST(ExportedOutputs, ADifferenceIsAShareOfTheRange) {
  ExportedOutputs outputs = raw_outputs(false);
  outputs.arrays.at("conf").as<float>()[(2 * default_box_count + 7) * classes + 3] = 0.02f;
  const VerifyReport report = verified(outputs);
  EXPECT_FALSE(report.ok());
  EXPECT_TRUE(report.rows[0].ok());
  EXPECT_NEAR(report.rows[1].error, 0.001, 1e-9);
  EXPECT_EQ(report.rows[1].where, "image 2, default box 7");
  EXPECT_TRUE(verified(outputs, DType::f16).ok());
  outputs.arrays.at("conf").as<float>()[1] = 20.4f;
  EXPECT_FALSE(verified(outputs, DType::f16).ok());
  EXPECT_TRUE(verified(outputs, DType::bf16).ok());
  outputs.arrays.at("conf").as<float>()[1] = NAN;
  EXPECT_FALSE(verified(outputs, DType::bf16).ok());
}

// At the even score of two classes, logits that are 5e-6 of a range of 57 off, one up and one down, move a
// score by 1 / (1 + exp(-2 * 5e-6 * 57)) - 1 / 2.
TEST(ExportedOutputs, LargeLogitsAreToldWithWhatRoundingMayDo) {
  EXPECT_EQ(rounding_note(-10, 20), "");
  const std::string note = rounding_note(-20, 37);
  EXPECT_NE(note.find("from -20 to 37, and rounding alone may move scores by 1.4e-04"), std::string::npos)
      << note;
  ExportedOutputs outputs = detections();
  outputs.arrays.at("scores").as<float>()[0] -= 0.1f;
  EXPECT_EQ(verified(outputs).note, "") << "logits of 20 explain no such difference";
}

TEST(ExportedOutputs, WhatOverflowsAlikeIsTheSame) {
  EXPECT_EQ(difference(INFINITY, INFINITY), 0);
  EXPECT_EQ(difference(INFINITY, -INFINITY), INFINITY);
  EXPECT_TRUE(std::isnan(difference(NAN, 1)));
  EXPECT_EQ(difference(1, 3), 2);
}

TEST(ExportedOutputs, DetectionsAreMissingWhereLabelScoreOrBoxAreOthers) {
  for (const char* name : {"labels", "scores", "boxes"}) {
    ExportedOutputs outputs = detections();
    Tensor& changed = outputs.arrays.at(name);
    if (name == std::string("labels"))
      changed.as<std::int64_t>()[0] = 3;
    else
      changed.as<float>()[0] += name == std::string("scores") ? 2e-4f : 2e-3f;
    const VerifyReport report = verified(outputs);
    EXPECT_NEAR(report.rows[0].error, 1.0 / 3, 1e-9) << name;
    EXPECT_FALSE(report.ok());
  }
}

TEST(ExportedOutputs, DetectionsThatTheNetworkDoesNotMakeCountAsWell) {
  ExportedOutputs outputs = detections();
  outputs.arrays.at("count").as<std::int64_t>()[1] = 2;
  EXPECT_NEAR(verified(outputs).rows[0].error, 1.0 / 4, 1e-9);
}

TEST(ExportedOutputs, OtherNamesAndShapesAreRefusedInOneLine) {
  ExportedOutputs outputs = raw_outputs(false);
  outputs.arrays.erase("conf");
  EXPECT_NE(refusal(outputs).find("out.npz: got no 'conf'"), std::string::npos) << refusal(outputs);
  outputs.arrays.emplace("conf", Tensor(DType::f32, {count, default_box_count, 81}));
  EXPECT_NE(refusal(outputs).find("got shape (3, 8732, 81), expected (3, 8732, 4)"), std::string::npos)
      << refusal(outputs);
  outputs = detections();
  outputs.arrays.at("count").as<std::int64_t>()[1] = 3;
  EXPECT_NE(refusal(outputs).find("count: got 3, expected 0 to 2"), std::string::npos) << refusal(outputs);
}

TEST(ExportedOutputs, PlanesOfNumbersAreTheSameImages) {
  const Tensor bytes = images();
  Tensor planes(DType::f32, {count, 3, 300, 300});
  const std::size_t area = 300 * 300;
  for (std::size_t i = 0; i < count * 3 * area; ++i)
    planes.as<float>()[i] =
        static_cast<float>(bytes.as<std::uint8_t>()[(i / (3 * area) * area + i % area) * 3 + i / area % 3]) /
        255;
  ExportedOutputs outputs{.name = "out.npz", .arrays = {}};
  outputs.arrays.emplace("images", std::move(planes));
  EXPECT_EQ(compare_images(outputs.images(), bytes).error, 0);
  Tensor others = images();
  others.as<std::uint8_t>()[3 * area + 5] += 2;
  const VerifyRow row = compare_images(others, bytes);
  EXPECT_EQ(row.error, 2);
  EXPECT_EQ(row.where, "image 1");
  EXPECT_FALSE(row.ok());
  outputs.arrays.at("images").as<float>()[0] = 0.5f;
  EXPECT_THROW(outputs.images(), Error);
}

}  // namespace
}  // namespace ssd
