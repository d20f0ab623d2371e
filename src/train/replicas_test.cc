// Eight replicas of a plugin against the CPU backend: one step of ResNet-18 on a batch split eight ways.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "cpu/cpu_device.h"
#include "model/ssd300.h"
#include "model/state.h"
#include "train/batch_norm_statistics.h"
#include "train/formula_weights.h"
#include "train/parameters.h"
#include "xla/for_test.h"

namespace ssd {
namespace {

constexpr std::int64_t replicas = 8, max_boxes = 3;

// Smooth synthetic images, and default boxes here and there matched with one of three boxes each.
struct Batch {
  Tensor images{DType::u8, {replicas, 300, 300, 3}};
  Tensor match{DType::i32, {replicas, model::default_boxes}};
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

  const Tensor* parts[4] = {&images, &match, &boxes, &labels};
};

// Images `from` to `to` as one step's inputs; the gradients are multiplied by `scale`.
std::vector<TensorView> inputs_of(const Batch& batch, std::int64_t from, std::int64_t to, const Tensor& rate,
                                  const Tensor& scale) {
  std::vector<TensorView> inputs;
  for (const Tensor* part : batch.parts) {
    Shape shape = part->shape();
    const std::size_t image_bytes = part->bytes() / static_cast<std::size_t>(shape[0]);
    shape[0] = to - from;
    inputs.push_back(
        {part->dtype(), shape,
         static_cast<const std::byte*>(part->data()) + static_cast<std::size_t>(from) * image_bytes});
  }
  inputs.push_back(rate);
  inputs.push_back(scale);
  return inputs;
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
  const TensorMap weights = initial_parameters(model, formula_weights(model));
  const Batch batch;
  Tensor rate(DType::f32, Shape{}), one(DType::f32, Shape{}), share(DType::f32, Shape{});
  rate.as<float>()[0] = 1e-3f;
  one.as<float>()[0] = 1;
  share.as<float>()[0] = 1.0f / replicas;

  const auto plugin = xla::cpu_device(replicas);
  const auto split = plugin->compile(
      {model::training_graph(model, {.batch = 1, .max_boxes = max_boxes, .replicas = replicas})});
  split->load(weights);
  const std::vector<Tensor> outputs = split->run(inputs_of(batch, 0, replicas, rate, one));
  const TensorMap got = split->save();

  // The CPU takes one image after the other, with statistics of its own for each, and adds up the gradients.
  std::vector<graph::Graph> graphs;
  for (const auto part : {model::Accumulation::first, model::Accumulation::middle, model::Accumulation::last})
    graphs.push_back(
        model::training_graph(model, {.batch = 1, .max_boxes = max_boxes, .accumulation = part}));
  const auto cpu = cpu::make_device();
  const auto accumulated = cpu->compile(std::move(graphs));
  TensorMap state = clone(weights);
  for (const auto& [name, tensor] : weights)
    if (name.starts_with("momentum/"))
      state["gradient/" + name.substr(9)] = Tensor(DType::f32, tensor.shape());
  accumulated->load(state);
  for (std::int64_t image = 0; image < replicas; ++image) {
    accumulated->start(image == 0             ? 0
                       : image + 1 < replicas ? 1
                                              : 2,
                       inputs_of(batch, image, image + 1, rate, share));
    const std::vector<Tensor> own = accumulated->finish();
    const double loc = static_cast<double>(own[1].as<float>()[0]),
                 conf = static_cast<double>(own[2].as<float>()[0]);
    EXPECT_NEAR(static_cast<double>(outputs[1].as<float>()[image]), loc, 1e-3 * loc) << image;
    EXPECT_NEAR(static_cast<double>(outputs[2].as<float>()[image]), conf, 1e-3 * conf) << image;
  }
  const TensorMap expected = accumulated->save();
  int compared = 0;
  for (const auto& [name, tensor] : expected) {
    // The momentum after the first step is the mean gradient, and the decay of weights.
    if (!name.starts_with("momentum/")) continue;
    EXPECT_LT(distance(got.at(name), tensor), 0.01) << name;
    EXPECT_LT(distance(got.at(name.substr(9)), expected.at(name.substr(9))), 1e-5) << name;
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
  const auto plugin = xla::cpu_device(2);
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
