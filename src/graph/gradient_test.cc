// Every gradient rule against central differences of the float64 interpreter.
#include "graph/gradient.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "base/random.h"
#include "graph/interpreter/interpreter.h"

namespace ssd::graph {
namespace {

Array random_array(const Shape& shape, std::uint64_t seed) {
  Array array(shape);
  Random random(seed, 0, 0);
  for (double& value : array.values) value = random.uniform(-1, 1);
  return array;
}

// A small SSD: images -> normalize -> conv, batch norm, pool, residual block -> heads of two levels -> loss.
struct SmallNetwork {
  static constexpr std::int64_t images = 2, classes = 3, boxes = 2;
  Graph graph;
  std::vector<Value> trained;
  Value loss;
  Feeds feeds;

  Value feed(const std::string& name, const Shape& shape) {
    feeds[name] = random_array(shape, std::hash<std::string>{}(name));
    trained.push_back(graph.parameter(name, {DType::f32, shape}));
    return trained.back();
  }

  Value norm(Value x, const std::string& name, std::vector<Value> residual) {
    const Shape channels{graph.type(x).shape[3]};
    std::vector<Value> inputs{x, feed(name + ".scale", channels), feed(name + ".shift", channels)};
    const bool adds = !residual.empty();
    inputs.insert(inputs.end(), residual.begin(), residual.end());
    return {graph.append(Kind::batch_norm, name, std::move(inputs),
                         BatchNormAttributes{.relu = true, .residual = adds})};
  }

  Value convolution(Value x, const std::string& name, std::int64_t out, ConvolutionAttributes attributes,
                    bool bias) {
    const std::int64_t k = attributes.kernel;
    std::vector<Value> inputs{x, feed(name + ".weight", {out, graph.type(x).shape[3], k, k})};
    if (bias) inputs.push_back(feed(name + ".bias", {out}));
    return {graph.append(Kind::convolution, name, std::move(inputs), attributes)};
  }

  explicit SmallNetwork(const LossAttributes& attributes = {0.1, 0.2, 3}) {
    const Value x = graph.input("images", {DType::u8, {images, 12, 12, 3}});
    Value y{graph.append(Kind::normalize, "normalize", {x},
                         NormalizeAttributes{{0.4, 0.5, 0.6}, {0.2, 0.3, 0.4}})};
    y = norm(convolution(y, "conv1", 4, {.stride = 2, .padding = 1, .kernel = 3}, false), "bn1", {});
    y = {graph.append(Kind::max_pool, "pool", {y}, PoolAttributes{})};  // (2,3,3,4)
    y = norm(convolution(y, "conv2", 4, {.padding = 1, .kernel = 3}, false), "bn2", {y});
    const Value small = norm(convolution(y, "conv3", 5, {.kernel = 3}, false), "bn3", {});  // (2,1,1,5)
    const HeadAttributes heads{{{3, 3, 2}, {1, 1, 1}}, classes};
    const Value a = convolution(y, "head0", 2 * 7, {.padding = 1, .kernel = 3}, true);
    const Value b = convolution(small, "head1", 7, {.padding = 1, .kernel = 3}, true);
    const int view = graph.append(Kind::head_view, "heads", {a, b}, heads);
    const std::int64_t count = 19;
    const Value match = graph.input("match", {DType::i32, {images, count}});
    const Value truth = graph.input("boxes", {DType::f32, {images, boxes, 4}});
    const Value labels = graph.input("labels", {DType::i32, {images, boxes}});
    const Value defaults = graph.parameter("default_boxes", {DType::f32, {count, 4}});
    loss = {graph.append(Kind::multibox_loss, "loss", {{view, 0}, {view, 1}, match, truth, labels, defaults},
                         attributes)};
    graph.output("loss", loss, false);
    fill_inputs(count);
  }

  void fill_inputs(std::int64_t count) {
    feeds["images"] = random_array({images, 12, 12, 3}, 1);
    for (double& value : feeds["images"].values) value = std::floor(128 + 127 * value);
    feeds["boxes"] = random_array({images, boxes, 4}, 2);
    feeds["default_boxes"] = random_array({count, 4}, 3);
    for (const char* name : {"boxes", "default_boxes"})
      for (double& value : feeds[name].values) value = 0.5 + 0.3 * value;
    feeds["labels"] = Array({images, boxes}, {1, 2, 2, 1});
    feeds["match"] = Array({images, count});
    for (double& value : feeds["match"].values) value = -1;
    feeds["match"].values[3] = 0;
    feeds["match"].values[18] = 1;
    feeds["match"].values[count + 7] = 1;
  }

  double loss_at(const Feeds& at) const { return interpret(graph, at).outputs.at("loss").values[0]; }
};

// The difference quotient over a step much smaller than the distance to the next kink, in float64, agrees
// with the gradient to about the step squared.
void expect_central_differences(SmallNetwork network) {
  const Value seed = network.graph.input("seed", {DType::f32, {}}, false);
  network.feeds["seed"] = Array(Shape{}, {1.5});
  const std::vector<Value> gradients = graph::gradients(network.graph, network.loss, seed, network.trained);
  for (std::size_t i = 0; i < gradients.size(); ++i)
    network.graph.output(network.graph.node(network.trained[i]).name, gradients[i], false);
  const Interpretation result = interpret(network.graph, network.feeds);

  for (const Value parameter : network.trained) {
    const std::string& name = network.graph.node(parameter).name;
    const std::vector<double>& gradient = result.outputs.at(name).values;
    const std::size_t stride = std::max<std::size_t>(1, gradient.size() / 6);
    for (std::size_t i = 0; i < gradient.size(); i += stride) {
      constexpr double step = 1e-6;
      Feeds moved = network.feeds;
      moved[name].values[i] += step;
      const double above = network.loss_at(moved);
      moved[name].values[i] -= 2 * step;
      const double quotient = 1.5 * (above - network.loss_at(moved)) / (2 * step);
      EXPECT_NEAR(gradient[i], quotient, 1e-6 * (1 + std::abs(quotient))) << name << "[" << i << "]";
    }
  }
}

TEST(Gradient, EveryParameterOfASmallNetworkMatchesCentralDifferences) {
  expect_central_differences(SmallNetwork());
}

TEST(Gradient, OfAWeightedLossWithSmoothedLabelsMatchesCentralDifferences) {
  expect_central_differences(SmallNetwork({.scale_xy = 0.1,
                                           .scale_wh = 0.2,
                                           .negatives_per_positive = 3,
                                           .label_smoothing = 0.2,
                                           .loc_weight = 2,
                                           .conf_weight = 0.5,
                                           .background_negatives = 3}));
}

// A strided convolution whose window does not reach the last row and column: their gradient is zero.
TEST(Gradient, ConvolutionGradInputMatchesCentralDifferencesWhereTheWindowMissesTheBorder) {
  Graph graph;
  const ConvolutionAttributes attributes{.stride = 2, .kernel = 1};
  const Value weight = graph.parameter("weight", {DType::f32, {2, 3, 1, 1}});
  const Value dy = graph.input("dy", {DType::f32, {1, 2, 2, 2}});
  ConvolutionAttributes backward = attributes;
  backward.input = {1, 4, 4, 3};
  graph.output("dx", {graph.append(Kind::convolution_grad_input, "grad", {dy, weight}, backward)}, true);
  Graph forward;
  const Value x = forward.input("x", {DType::f32, {1, 4, 4, 3}});
  const Value w = forward.parameter("weight", {DType::f32, {2, 3, 1, 1}});
  forward.output("y", {forward.append(Kind::convolution, "conv", {x, w}, attributes)}, true);

  const Feeds feeds{{"x", random_array({1, 4, 4, 3}, 5)},
                    {"weight", random_array({2, 3, 1, 1}, 6)},
                    {"dy", random_array({1, 2, 2, 2}, 7)}};
  const Array dx = interpret(graph, feeds).outputs.at("dx");
  for (std::size_t i = 0; i < dx.values.size(); ++i) {
    Feeds moved = feeds;
    moved["x"].values[i] += 1;
    const Array above = interpret(forward, moved).outputs.at("y"),
                at = interpret(forward, feeds).outputs.at("y");
    double change = 0;  // linear in x: a step of one is exact
    for (std::size_t k = 0; k < at.values.size(); ++k)
      change += (above.values[k] - at.values[k]) * feeds.at("dy").values[k];
    EXPECT_NEAR(dx.values[i], change, 1e-12) << i;
  }
}

TEST(Gradient, AParameterTheLossDoesNotReachIsAnError) {
  SmallNetwork network;
  const Value seed = network.graph.input("seed", {DType::f32, {}}, false);
  const Value apart = network.graph.parameter("apart", {DType::f32, {1}});
  EXPECT_THROW(gradients(network.graph, network.loss, seed, {apart}), Error);
}

// Two replicas with shared statistics and the mean of their gradients are one replica with both halves, as
// long as the loss is a mean over images.
TEST(Interpreter, SharedBatchNormOverTwoReplicasEqualsOneReplicaWithBothBatches) {
  const auto build = [](std::int64_t n, int group) {
    Graph graph;
    const Value x = graph.input("x", {DType::f32, {n, 2, 2, 3}});
    const Value dy = graph.input("dy", {DType::f32, {n, 2, 2, 3}});
    const Value scale = graph.parameter("scale", {DType::f32, {3}});
    const Value shift = graph.parameter("shift", {DType::f32, {3}});
    const BatchNormAttributes attributes{.relu = true, .group = group};
    const int y = graph.append(Kind::batch_norm, "bn", {x, scale, shift}, attributes);
    const int grad =
        graph.append(Kind::batch_norm_grad, "bn/grad", {dy, x, {y, 0}, scale, {y, 1}, {y, 2}}, attributes);
    graph.output("dx", {grad, 0}, true);
    graph.output("dscale", {grad, 1}, false);
    return graph;
  };
  Feeds whole{{"x", random_array({4, 2, 2, 3}, 1)},
              {"dy", random_array({4, 2, 2, 3}, 2)},
              {"scale", random_array({3}, 3)},
              {"shift", random_array({3}, 4)}};
  std::vector<Feeds> halves(2, whole);
  for (std::size_t r = 0; r < 2; ++r)
    for (const char* name : {"x", "dy"}) {
      const auto& all = whole[name].values;
      halves[r][name] = Array({2, 2, 2, 3}, {all.begin() + 24 * static_cast<long>(r),
                                             all.begin() + 24 * static_cast<long>(r + 1)});
    }
  const Interpretation expected = interpret(build(4, 1), whole);
  const std::vector<Interpretation> got = interpret_replicas(build(2, 2), halves);
  for (std::size_t i = 0; i < 48; ++i)
    EXPECT_NEAR(got[i / 24].outputs.at("dx").values[i % 24], expected.outputs.at("dx").values[i], 1e-12);
  for (std::size_t c = 0; c < 3; ++c)
    EXPECT_NEAR(got[0].outputs.at("dscale").values[c] + got[1].outputs.at("dscale").values[c],
                expected.outputs.at("dscale").values[c], 1e-12);
}

}  // namespace
}  // namespace ssd::graph
