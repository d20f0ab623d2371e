#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "base/random.h"
#include "boxes/ssd300.h"
#include "graph/cost.h"
#include "model/optimizers.h"
#include "model/resnet.h"
#include "model/ssd300.h"
#include "model/state.h"
#include "model/training_graph.h"
#include "testing/message_of.h"

namespace ssd::model {
namespace {

class Golden : public testing::TestWithParam<Backbone> {};
INSTANTIATE_TEST_SUITE_P(Backbones, Golden, testing::Values(Backbone::resnet18, Backbone::resnet50),
                         [](const auto& backbone) { return std::string(name_of(backbone.param)); });

// The golden lists every floating-point tensor of PyTorch's state_dict, in its order, and every gradient.
TEST_P(Golden, TensorNamesAreTheReferences) {
  const std::string path =
      std::string(SSD_SOURCE_DIR) + "/../shared/golden/" + std::string(name_of(GetParam())) + ".json";
  std::ifstream stream(path);
  if (!stream) GTEST_SKIP() << path << " is missing: no golden values";
  const nlohmann::json golden = nlohmann::json::parse(stream);
  std::set<std::string> expected, expected_trained, got, trained;
  for (const auto& [name, value] : golden.at("after").items()) expected.insert(name);
  for (const auto& [name, value] : golden.at("gradient").items()) expected_trained.insert(name);
  for (const StateTensor& tensor : state_tensors({.backbone = GetParam()})) {
    got.insert(tensor.name);
    if (tensor.trained) trained.insert(tensor.name);
  }
  EXPECT_EQ(got, expected);
  EXPECT_EQ(trained, expected_trained);
}

// 20.2 G multiply-adds forward (published for ResNet-50); training costs three times that, less the first
// convolution's input gradient.
TEST(Ssd300, CostIsThePublishedOne) {
  const graph::Graph inference = inference_graph({}, 1);
  EXPECT_NEAR(graph::cost(inference).flops / 2e9, 20.2, 0.2);
  const graph::Graph training = training_graph({}, {.batch = 1});
  EXPECT_NEAR(graph::cost(training).flops / 1e9, 121, 2);
}

TEST(Ssd300, HasEightThousandSevenHundredThirtyTwoDefaultBoxesForAnyBackbone) {
  for (const Backbone backbone : {Backbone::resnet18, Backbone::resnet34, Backbone::resnet50,
                                  Backbone::resnet101, Backbone::resnet152}) {
    const graph::Graph graph = inference_graph({.backbone = backbone, .classes = 4}, 2);
    EXPECT_EQ(graph.type(graph.outputs()[0].value).shape, Shape({2, default_box_count, 4}));
    EXPECT_EQ(graph.type(graph.outputs()[1].value).shape, Shape({2, default_box_count, 4}));
  }
}

TEST(Ssd300, TheStrideCanSitInEitherConvolutionOfABottleneck) {
  const auto strides = [](StrideIn stride_in) {
    std::map<std::string, std::int64_t> result;
    const graph::Graph graph = inference_graph({.stride_in = stride_in}, 1);
    for (const graph::Node& node : graph.nodes())
      if (node.kind == graph::Kind::fused_convolution)
        result[node.name] = node.as<graph::ConvolutionAttributes>().stride;
    return result;
  };
  const std::string block = "feature_extractor.feature_extractor.5.0";
  EXPECT_EQ(strides(StrideIn::conv3x3).at(block + ".conv2"), 2);
  EXPECT_EQ(strides(StrideIn::conv3x3).at(block + ".conv1"), 1);
  EXPECT_EQ(strides(StrideIn::conv1x1).at(block + ".conv1"), 2);
  EXPECT_EQ(strides(StrideIn::conv1x1).at(block + ".conv2"), 1);
}

TEST(Ssd300, OnlyTensorsOfRankAboveOneDecay) {
  const graph::Graph graph =
      training_graph({.backbone = Backbone::resnet18}, {.optimizer = {.weight_decay = 5e-4}});
  int updates = 0;
  for (const graph::Node& node : graph.nodes()) {
    if (node.kind != graph::Kind::update) continue;
    ++updates;
    const OptimizerOptions options{.weight_decay = node.outputs[0].shape.rank() > 1 ? 5e-4 : 0.0};
    EXPECT_EQ(node.as<graph::UpdateAttributes>().rule, optimizer_named("sgd").rule(options, Part::weight))
        << node.name;
  }
  EXPECT_GT(updates, 60);
}

TEST(Ssd300, ReplicasMeetInOneAllReduce) {
  const graph::Graph graph = training_graph({.backbone = Backbone::resnet18}, {.replicas = 8});
  int count = 0;
  for (const graph::Node& node : graph.nodes()) count += node.kind == graph::Kind::all_reduce;
  EXPECT_EQ(count, 1);
}

TEST(State, SurvivesTheWayToParametersAndBack) {
  const ModelOptions model{.backbone = Backbone::resnet18, .classes = 4};
  State state{initial_weights(model, 7), {}, {}};
  TensorMap& slot = state.slots["momentum"];
  for (const StateTensor& tensor : state_tensors(model)) {
    if (!tensor.trained) continue;
    Tensor momentum(DType::f32, tensor.shape);
    Random random(11, 0, slot.size());
    for (float& value : momentum.as<float>()) value = static_cast<float>(random.normal());
    slot.emplace(tensor.name, std::move(momentum));
  }
  const Optimizer& sgd = optimizer_named("sgd");
  const State back = state_of(model, training_parameters(model, state, sgd), sgd);
  const auto expect_equal = [](const TensorMap& got, const TensorMap& expected) {
    ASSERT_EQ(got.size(), expected.size());
    for (const auto& [name, tensor] : expected)
      EXPECT_EQ(0, std::memcmp(got.at(name).data(), tensor.data(), tensor.bytes())) << name;
  };
  expect_equal(back.weights, state.weights);
  expect_equal(back.slots.at("momentum"), slot);
}

TEST(State, TrainingParametersFitTheTrainingGraph) {
  const ModelOptions model{.backbone = Backbone::resnet34, .classes = 4};
  for (const Optimizer& optimizer : optimizers()) {
    const TensorMap parameters = training_parameters(model, {initial_weights(model, 1), {}, {}}, optimizer);
    const graph::Graph graph = training_graph(model, {.optimizer = {.name = std::string(optimizer.name)}});
    for (const int id : graph.parameters()) {
      const graph::Node& node = graph.nodes()[id];
      if (node.name == "default_boxes") continue;
      ASSERT_TRUE(parameters.contains(node.name)) << node.name;
      EXPECT_EQ(parameters.at(node.name).shape(), node.outputs[0].shape) << node.name;
    }
  }
}

// One channel by hand: w' = w * s / sqrt(v + eps), b' = shift - mean * s / sqrt(v + eps).
TEST(State, BatchNormFoldsIntoTheConvolution) {
  const ModelOptions model{.backbone = Backbone::resnet18, .classes = 4};
  TensorMap weights = initial_weights(model, 3);
  const std::string root = "feature_extractor.feature_extractor.";
  weights.at(root + "1.weight").as<float>()[5] = 2.0f;
  weights.at(root + "1.bias").as<float>()[5] = 0.5f;
  weights.at(root + "1.running_mean").as<float>()[5] = 3.0f;
  weights.at(root + "1.running_var").as<float>()[5] = 0.25f - 1e-5f;
  const TensorMap folded = inference_parameters(model, weights);
  EXPECT_NEAR(folded.at(root + "0.bias").as<float>()[5], 0.5 - 3 * 2 / 0.5, 1e-5);
  const std::size_t first = 5 * 3 * 49;
  EXPECT_NEAR(folded.at(root + "0.weight").as<float>()[first],
              4 * weights.at(root + "0.weight").as<float>()[first], 1e-6);
}

TEST(State, AWrongShapeIsNamed) {
  const ModelOptions model{.backbone = Backbone::resnet18, .classes = 4};
  const std::string message = message_of(
      [&] { check_weights({.backbone = Backbone::resnet18, .classes = 81}, initial_weights(model, 1)); });
  EXPECT_NE(message.find("conf.0.weight"), std::string::npos) << message;
}

TEST(State, TorchvisionNamesBecomeTheReferences) {
  EXPECT_EQ(ssd_name_of_torchvision("conv1.weight"), "feature_extractor.feature_extractor.0.weight");
  EXPECT_EQ(ssd_name_of_torchvision("layer3.5.bn3.bias"), "feature_extractor.feature_extractor.6.5.bn3.bias");
  EXPECT_EQ(ssd_name_of_torchvision("layer4.0.conv1.weight"), "");
  EXPECT_EQ(ssd_name_of_torchvision("fc.weight"), "");
}

}  // namespace
}  // namespace ssd::model
