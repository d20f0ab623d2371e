// Eight replicas of a plugin against the CPU backend: one step of ResNet-18 on a batch split eight ways.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "backend/cpu/cpu_device.h"
#include "boxes/ssd300.h"
#include "data/cache/open_dataset.h"
#include "model/formula_weights.h"
#include "model/training_program.h"
#include "testing/graph_feeds.h"
#include "train/batch_norm_statistics.h"

namespace ssd {
namespace {

constexpr std::int64_t replicas = 8, max_boxes = 3;

// Smooth synthetic images, and default boxes here and there matched with one of three boxes each.
struct Batch {
  Tensor images{DType::u8, {replicas, 300, 300, 3}};
  Tensor match{DType::i32, {replicas, default_box_count}};
  Tensor boxes{DType::f32, {replicas, max_boxes, 4}};
  Tensor labels{DType::i32, {replicas, max_boxes}};

  Batch() {
    Random random(1, 0, 0);
    for (std::int64_t image = 0; image < replicas; ++image) {
      const double rate = random.uniform(0.02, 0.2), phase = random.uniform(0, 6);
      for (std::int64_t i = 0; i < 300 * 300 * 3; ++i) {
        const double wave = std::sin(rate * static_cast<double>(i / 900) + phase) *
                            std::cos(rate * static_cast<double>(i / 3 % 300) + static_cast<double>(i % 3));
        images.as<std::uint8_t>()[image * 300 * 300 * 3 + i] =
            static_cast<std::uint8_t>(std::clamp(128 + 90 * wave + random.uniform(-30, 30), 0.0, 255.0));
      }
    }
    for (std::int32_t& index : match.as<std::int32_t>())
      index = random.below(400) == 0 ? static_cast<std::int32_t>(random.below(max_boxes)) : -1;
    for (float& value : boxes.as<float>()) value = static_cast<float>(random.uniform(0.2, 0.6));
    for (std::int32_t& label : labels.as<std::int32_t>())
      label = 1 + static_cast<std::int32_t>(random.below(80));
  }
};

// Images `from` to `to` as one micro-batch's inputs; the gradients are multiplied by `scale`.
model::TrainingInputs inputs_of(const Batch& batch, std::int64_t from, std::int64_t to, const Tensor& rate,
                                const Tensor& scale) {
  const auto part = [&](const Tensor& whole) -> TensorView {
    Shape shape = whole.shape();
    const std::size_t image_bytes = whole.bytes() / static_cast<std::size_t>(shape[0]);
    shape[0] = to - from;
    return {whole.dtype(), shape, whole.data() + static_cast<std::size_t>(from) * image_bytes};
  };
  return {part(batch.images), part(batch.match), part(batch.boxes), part(batch.labels), rate, scale, {}};
}

double distance(const Tensor& a, const Tensor& b) {
  double difference = 0, length = 0;
  for (std::size_t i = 0; i < a.as<float>().size(); ++i) {
    const double x = static_cast<double>(a.as<float>()[i]), y = static_cast<double>(b.as<float>()[i]);
    difference += (x - y) * (x - y);
    length += y * y;
  }
  return std::sqrt(difference) / std::max(std::sqrt(length), 1e-3);
}

TEST(Replicas, StepAsTheCpuDoesWithTheirMeanGradient) {
  SSD_NEEDS_CPU_PLUGIN();
  const model::ModelOptions model{.backbone = model::Backbone::resnet18};
  const model::State weights{.weights = model::formula_weights(model), .slots = {}, .averages = {}};
  const Batch batch;
  Tensor rate(DType::f32, Shape{}), one(DType::f32, Shape{}), share(DType::f32, Shape{});
  rate.as<float>()[0] = 1e-3f;
  one.as<float>()[0] = 1;
  share.as<float>()[0] = 1.0f / replicas;

  const auto plugin = pjrt::cpu_device(replicas);
  model::TrainingProgram split(*plugin, model, {.batch = 1, .max_boxes = max_boxes, .replicas = replicas});
  split.load(weights);
  split.start(0, 1, inputs_of(batch, 0, replicas, rate, one));
  const model::TrainingOutputs outputs = split.finish();
  const model::State got = split.save();

  // The CPU takes one image after the other, with statistics of its own for each, and adds up the gradients.
  const auto cpu = cpu::make_device();
  model::TrainingProgram accumulated(*cpu, model, {.batch = 1, .max_boxes = max_boxes}, replicas);
  accumulated.load(weights);
  for (int image = 0; image < replicas; ++image) {
    accumulated.start(image, replicas, inputs_of(batch, image, image + 1, rate, share));
    const model::TrainingOutputs own = accumulated.finish();
    const double loc = static_cast<double>(own.loc_loss.as<float>()[0]),
                 conf = static_cast<double>(own.conf_loss.as<float>()[0]);
    EXPECT_NEAR(static_cast<double>(outputs.loc_loss.as<float>()[image]), loc, 1e-3 * loc) << image;
    EXPECT_NEAR(static_cast<double>(outputs.conf_loss.as<float>()[image]), conf, 1e-3 * conf) << image;
  }
  const model::State expected = accumulated.save();
  int compared = 0;
  // The momentum after the first step is the mean gradient, and the decay of weights.
  for (const auto& [name, tensor] : expected.slots.at("momentum")) {
    EXPECT_LT(distance(got.slots.at("momentum").at(name), tensor), 0.01) << name;
    EXPECT_LT(distance(got.weights.at(name), expected.weights.at(name)), 1e-5) << name;
    ++compared;
  }
  EXPECT_GT(compared, 80);
}

// Two replicas with two images each see what one device sees in two batches.
TEST(Replicas, AllCountInBatchNormStatistics) {
  SSD_NEEDS_CPU_PLUGIN();
  const Dataset dataset = open_dataset(std::string(SSD_SOURCE_DIR) + "/samples/blood-cells", "train2017");
  const model::ModelOptions model{.backbone = model::Backbone::resnet18, .classes = 4};
  TensorMap got = model::initial_weights(model, 1), expected = model::initial_weights(model, 1);
  const auto plugin = pjrt::cpu_device(2);
  const auto cpu = cpu::make_device();
  reestimate_batch_norm(got, *plugin, model, dataset, {.images = 4, .batch = 2});
  reestimate_batch_norm(expected, *cpu, model, dataset, {.images = 4, .batch = 2});
  for (const auto& [name, tensor] : expected)
    if (name.find("running_") != std::string::npos) {
      EXPECT_LT(distance(got.at(name), tensor), 1e-2) << name;
    }
}

}  // namespace
}  // namespace ssd
