// Every node kind on a CPU plugin against the float64 interpreter.
#include <fmt/format.h>

#include "testing/graph_feeds.h"
#include "testing/update_rules.h"

namespace ssd::pjrt {
namespace {

using graph::Array;
using graph::ConvolutionAttributes;
using graph::Feeds;
using graph::Graph;
using graph::Kind;
using graph::Value;

// A graph under test: inputs with random values, and one node whose outputs are all returned.
struct OneNode {
  Graph graph;
  Feeds feeds;

  Value in(const std::string& name, const Shape& shape, DType type = DType::f32) {
    return in(name, random_array(shape, std::hash<std::string>{}(name)), type);
  }
  Value in(const std::string& name, Array array, DType type = DType::f32) {
    const Value value = graph.input(name, {type, array.shape});
    feeds[name] = graph::to_array(graph::to_tensor(array, type));  // as rounded to the type
    return value;
  }
  void node(Kind kind, std::vector<Value> inputs, graph::Attributes attributes = {}) {
    const int id = graph.append(kind, "tested", std::move(inputs), std::move(attributes));
    for (std::size_t i = 0; i < graph.nodes()[id].outputs.size(); ++i)
      graph.output("output " + std::to_string(i), {id, static_cast<int>(i)}, false);
  }
};

class Kinds : public testing::Test {
 protected:
  void SetUp() override { SSD_NEEDS_CPU_PLUGIN(); }
  OneNode test;
};

TEST_F(Kinds, Normalize) {
  const Value x = test.in("x", random_integers({2, 3, 4, 3}, 256, 1), DType::u8);
  test.node(Kind::normalize, {x}, graph::NormalizeAttributes{{0.4, 0.5, 0.6}, {0.2, 0.3, 0.4}});
  expect_as_interpreted(test.graph, test.feeds);
}

TEST_F(Kinds, ConvolutionWithStridePaddingAndBias) {
  const Value x = test.in("x", {2, 7, 8, 3}), w = test.in("w", {5, 3, 3, 3}), b = test.in("b", Shape{5});
  test.node(Kind::convolution, {x, w, b}, ConvolutionAttributes{.stride = 2, .padding = 1, .kernel = 3});
  expect_as_interpreted(test.graph, test.feeds);
}

TEST_F(Kinds, ConvolutionInBf16SumsInF32) {
  const Value x = test.in("x", {2, 5, 5, 64}, DType::bf16), w = test.in("w", {8, 64, 3, 3});
  test.node(Kind::convolution, {x, w},
            ConvolutionAttributes{.padding = 1, .kernel = 3, .compute = DType::bf16});
  // XLA's CPU compiler may leave out the rounding of the weights. For GPUs the sums are rounded.
  expect_as_interpreted(test.graph, test.feeds, 0.002, {stablehlo::Target::tpu});
  expect_as_interpreted(test.graph, test.feeds, 0.004, {stablehlo::Target::gpu});
}

TEST_F(Kinds, ConvolutionInBf16WithBf16ResultIsRoundedOnce) {
  const Value x = test.in("x", {2, 5, 5, 64}, DType::bf16), w = test.in("w", {8, 64, 3, 3});
  test.node(Kind::convolution, {x, w},
            ConvolutionAttributes{.padding = 1, .kernel = 3, .compute = DType::bf16, .output = DType::bf16});
  expect_as_interpreted(test.graph, test.feeds, 0.004);  // half a unit of 8 bits
}

TEST_F(Kinds, FusedConvolutionWithResidualAndRelu) {
  const Value x = test.in("x", {2, 4, 5, 3}), w = test.in("w", {4, 3, 1, 1}), b = test.in("b", Shape{4});
  const Value residual = test.in("residual", {2, 4, 5, 4});
  test.node(Kind::fused_convolution, {x, w, b, residual}, ConvolutionAttributes{.relu = true});
  expect_as_interpreted(test.graph, test.feeds);
}

// Strides that miss the last row, kernels with and without padding.
TEST_F(Kinds, ConvolutionGradients) {
  struct Case {
    std::int64_t size, kernel, stride, padding;
  };
  for (const Case& c :
       {Case{7, 3, 2, 1}, Case{8, 3, 2, 1}, Case{4, 1, 2, 0}, Case{5, 3, 1, 0}, Case{9, 7, 2, 3}}) {
    SCOPED_TRACE(testing::Message() << c.size << " " << c.kernel << " " << c.stride << " " << c.padding);
    const std::int64_t out = (c.size + 2 * c.padding - c.kernel) / c.stride + 1;
    const ConvolutionAttributes attributes{.stride = c.stride,
                                           .padding = c.padding,
                                           .kernel = c.kernel,
                                           .bias = true,
                                           .input = {2, c.size, c.size + 2, 3}};
    const std::int64_t wide = (c.size + 2 + 2 * c.padding - c.kernel) / c.stride + 1;
    OneNode by_input, by_weight;
    by_input.node(Kind::convolution_grad_input,
                  {by_input.in("dy", {2, out, wide, 5}), by_input.in("w", {5, 3, c.kernel, c.kernel})},
                  attributes);
    expect_as_interpreted(by_input.graph, by_input.feeds);
    by_weight.node(Kind::convolution_grad_weight,
                   {by_weight.in("x", attributes.input), by_weight.in("dy", {2, out, wide, 5})}, attributes);
    expect_as_interpreted(by_weight.graph, by_weight.feeds);
  }
}

TEST_F(Kinds, BatchNormWithResidualAndRelu) {
  const Value x = test.in("x", {2, 4, 5, 3}), scale = test.in("scale", Shape{3}),
              shift = test.in("shift", Shape{3});
  const Value residual = test.in("residual", {2, 4, 5, 3});
  test.node(Kind::batch_norm, {x, scale, shift, residual},
            graph::BatchNormAttributes{.relu = true, .residual = true});
  expect_as_interpreted(test.graph, test.feeds);
}

TEST_F(Kinds, BatchNormGrad) {
  for (const bool residual : {false, true}) {
    OneNode one;
    const graph::BatchNormAttributes attributes{.relu = true, .residual = residual};
    const Value x = one.in("x", {2, 4, 5, 3}), scale = one.in("scale", Shape{3}),
                shift = one.in("shift", Shape{3});
    std::vector<Value> inputs{x, scale, shift};
    if (residual) inputs.push_back(one.in("residual", {2, 4, 5, 3}));
    const Value dy = one.in("dy", {2, 4, 5, 3});
    const int y = one.graph.append(Kind::batch_norm, "forward", std::move(inputs), attributes);
    one.node(Kind::batch_norm_grad, {dy, x, {y, 0}, scale, {y, 1}, {y, 2}}, attributes);
    expect_as_interpreted(one.graph, one.feeds, 1e-5);
  }
}

// From the input's moments, and from the result itself where the convolution widens too little.
TEST_F(Kinds, BatchNormOfAPointwiseConvolutionAndAllGradients) {
  for (const std::int64_t channels : {3, 12})
    for (const DType compute : {DType::f32, DType::bf16}) {
      SCOPED_TRACE(fmt::format("{} channels in {}", channels, name_of(compute)));
      OneNode one;
      const Value x = one.in("x", {2, 4, 5, 3}, compute), weight = one.in("w", {channels, 3, 1, 1});
      const Value scale = one.in("scale", Shape{channels}), shift = one.in("shift", Shape{channels});
      const ConvolutionAttributes convolution{
          .kernel = 1, .compute = compute, .output = compute, .input = {2, 4, 5, 3}};
      const graph::BatchNormAttributes norm{.relu = true, .residual = true};
      const Value residual = one.in("residual", {2, 4, 5, channels}, compute);
      const Value y{one.graph.append(Kind::convolution, "convolution", {x, weight}, convolution)};
      const int z = one.graph.append(Kind::batch_norm, "norm", {y, scale, shift, residual}, norm);
      const Value dz = one.in("dz", {2, 4, 5, channels}, compute);
      const int dy =
          one.graph.append(Kind::batch_norm_grad, "norm/grad", {dz, y, {z, 0}, scale, {z, 1}, {z, 2}}, norm);
      const int dx =
          one.graph.append(Kind::convolution_grad_input, "grad_input", {{dy, 0}, weight}, convolution);
      one.graph.output("dx", {dx}, false);
      for (int i = 0; i < 3; ++i) one.graph.output(fmt::format("z {}", i), {z, i}, false);
      for (int i = 0; i < 4; ++i) one.graph.output(fmt::format("dy {}", i), {dy, i}, false);
      one.node(Kind::convolution_grad_weight, {x, {dy, 0}}, convolution);
      if (compute == DType::f32)
        expect_as_interpreted(one.graph, one.feeds, 1e-5);
      else  // GPUs round the convolution, by which the ReLU may let other values through
        expect_as_interpreted(one.graph, one.feeds, 0.02, {stablehlo::Target::tpu});
    }
}

TEST_F(Kinds, MaxPoolAndItsGradientWithTies) {
  struct Case {
    graph::PoolAttributes pool;
    Shape dy;
  };
  for (const auto& [pool, dy_shape] :
       {Case{{}, {2, 4, 3, 2}}, Case{{.window = 2, .stride = 2, .padding = 0}, {2, 3, 3, 2}},
        Case{{.window = 3, .stride = 1, .padding = 1}, {2, 7, 6, 2}},
        Case{{.window = 2, .stride = 3, .padding = 0}, {2, 2, 2, 2}}}) {
    SCOPED_TRACE(fmt::format("window {}, stride {}", pool.window, pool.stride));
    OneNode one;
    const Value x = one.in("x", random_integers({2, 7, 6, 2}, 4, 5));
    const Value y{one.graph.append(Kind::max_pool, "pool", {x}, pool)};
    one.graph.output("y", y, false);
    const Value dy = one.in("dy", dy_shape);
    one.node(Kind::max_pool_grad, {dy, x, y}, pool);
    expect_as_interpreted(one.graph, one.feeds);
  }
}

TEST_F(Kinds, Add) {
  const Value a = test.in("a", {2, 3, 4, 5}), b = test.in("b", {2, 3, 4, 5});
  test.node(Kind::add, {a, b});
  expect_as_interpreted(test.graph, test.feeds);
}

TEST_F(Kinds, HeadViewAndItsGradient) {
  const graph::HeadAttributes heads{{{3, 2, 4}, {1, 1, 6}}, 5};
  const Value a = test.in("a", {2, 3, 2, 4 * 9}), b = test.in("b", {2, 1, 1, 6 * 9});
  test.node(Kind::head_view, {a, b}, heads);
  expect_as_interpreted(test.graph, test.feeds, 0);
  OneNode backward;
  const Value dloc = backward.in("dloc", {2, 30, 4}), dconf = backward.in("dconf", {2, 30, 5});
  backward.node(Kind::head_view_grad, {dloc, dconf}, heads);
  expect_as_interpreted(backward.graph, backward.feeds, 0);
}

TEST_F(Kinds, RunningStatisticsAndUpdate) {
  const Value mean = test.in("mean", Shape{4}), variance = test.in("variance", Shape{4});
  const Value m = test.in("m", Shape{4}), v = test.in("v", Shape{4});
  test.node(Kind::running_statistics, {mean, variance, m, v}, graph::RunningAttributes{.count = 10});
  expect_as_interpreted(test.graph, test.feeds);
  OneNode update;
  const Value w = update.in("w", {4, 3, 2, 2}), g = update.in("g", {4, 3, 2, 2}),
              mo = update.in("mo", {4, 3, 2, 2});
  const Value rate = update.graph.input("rate", {DType::f32, {}}, false);
  update.feeds["rate"] = Array(Shape{}, {0.1});
  update.node(Kind::update, {w, g, mo, rate}, graph::UpdateAttributes{graph::sgd_rule(0.9, 0.01)});
  expect_as_interpreted(update.graph, update.feeds);
}

TEST_F(Kinds, UpdateByAnyRule) {
  const Shape shape{4, 3, 2, 2};
  const Value w = test.in("w", shape), g = test.in("g", shape), mean = test.in("mean", shape);
  const Value square = test.in("square", shape), rate = test.in("rate", Array(Shape{}, {0.1}));
  const Value step = test.in("step", Array(Shape{}, {3}));
  const Value squares = test.in("squares", Array(Shape{}, {2.5}));
  test.node(Kind::update, {w, g, mean, square, rate, step, squares},
            graph::UpdateAttributes{graph::rule_of_all_operations()});
  expect_as_interpreted(test.graph, test.feeds);
}

TEST_F(Kinds, SquaredNorm) {
  test.node(Kind::squared_norm, {test.in("a", {4, 3, 2, 2}), test.in("b", Shape{7}), test.in("c", Shape{})});
  expect_as_interpreted(test.graph, test.feeds);
}

// Images: ordinary; nothing matched; more hard negatives wanted than there are; all logits alike, so that the
// hard negatives are decided by position alone.
void append_loss(OneNode& test, const graph::LossAttributes& attributes) {
  constexpr std::int64_t n = 4, d = 60, k = 5, g = 3;
  Array conf = random_array({n, d, k}, 11), match = random_integers({n, d}, 20, 12);
  for (double& value : conf.values) value *= 8;
  for (double& value : match.values)
    if (value >= g) value = -1;
  for (std::int64_t i = 0; i < d; ++i) {
    match.values[d + i] = -1;
    if (i % 3 != 0) match.values[2 * d + i] = static_cast<double>(i % g);
    for (std::int64_t c = 0; c < k; ++c) conf.values[(3 * d + i) * k + c] = 1;
  }
  const Value loc = test.in("loc", {n, d, 4}), logits = test.in("conf", std::move(conf));
  const Value matches = test.in("match", std::move(match), DType::i32);
  Array boxes = random_array({n, g, 4}, 13), defaults = random_array({d, 4}, 14);
  for (Array* array : {&boxes, &defaults})
    for (double& value : array->values) value = static_cast<float>(0.5 + 0.3 * value);
  Array labels = random_integers({n, g}, k - 1, 15);
  for (double& value : labels.values) value += 1;
  const Value truth = test.in("boxes", std::move(boxes)),
              label = test.in("labels", std::move(labels), DType::i32);
  const Value fixed = test.in("defaults", std::move(defaults));
  test.node(Kind::multibox_loss, {loc, logits, matches, truth, label, fixed}, attributes);
  const int loss = static_cast<int>(test.graph.nodes().size()) - 1;
  const Value seed = test.graph.input("seed", {DType::f32, {}}, false);
  test.feeds["seed"] = Array(Shape{}, {1.5});
  const int grad =
      test.graph.append(Kind::multibox_loss_grad, "grad",
                        {seed, loc, logits, matches, truth, label, fixed, {loss, 3}, {loss, 4}}, attributes);
  test.graph.output("dloc", {grad, 0}, false);
  test.graph.output("dconf", {grad, 1}, false);
}

TEST_F(Kinds, MultiboxLossAndItsGradient) {
  append_loss(test, {0.1, 0.2, 3});
  expect_as_interpreted(test.graph, test.feeds, 1e-5);
}

TEST_F(Kinds, MultiboxLossWithSmoothedLabelsAndWeights) {
  append_loss(test, {.scale_xy = 0.1,
                     .scale_wh = 0.2,
                     .negatives_per_positive = 3,
                     .label_smoothing = 0.2,
                     .loc_weight = 2,
                     .conf_weight = 0.5,
                     .background_negatives = 3});
  expect_as_interpreted(test.graph, test.feeds, 1e-5);
}

}  // namespace
}  // namespace ssd::pjrt
