// Every node kind against the float64 interpreter, at small and odd shapes.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "testing/cpu_programs.h"
#include "testing/update_rules.h"

namespace ssd::cpu {
namespace {

using graph::ConvolutionAttributes;
using graph::Kind;
using graph::Value;

struct ConvolutionCase {
  std::int64_t images, size, in, out, kernel, stride, padding;
};

void PrintTo(const ConvolutionCase& c, std::ostream* out) {
  *out << c.images << " x " << c.size << " x " << c.size << " x " << c.in << " -> " << c.out << ", "
       << c.kernel << " x " << c.kernel << " / " << c.stride << ", padding " << c.padding;
}

class Convolutions : public testing::TestWithParam<ConvolutionCase> {
 protected:
  ConvolutionAttributes attributes() const {
    const ConvolutionCase& c = GetParam();
    return {.stride = c.stride, .padding = c.padding, .kernel = c.kernel, .input = x_shape()};
  }
  Shape x_shape() const { return {GetParam().images, GetParam().size, GetParam().size, GetParam().in}; }
  Shape y_shape() const {
    const ConvolutionCase& c = GetParam();
    const std::int64_t size = (c.size + 2 * c.padding - c.kernel) / c.stride + 1;
    return {c.images, size, size, c.out};
  }
  Shape weight_shape() const { return {GetParam().out, GetParam().in, GetParam().kernel, GetParam().kernel}; }
};

TEST_P(Convolutions, Forward) {
  Trial trial;
  const Value x = trial.f32("x", x_shape()), weight = trial.f32("weight", weight_shape());
  trial.output_all(trial.graph.append(Kind::convolution, "c", {x, weight}, attributes()));
  expect_like_interpreter(trial);
}

TEST_P(Convolutions, ForwardWithBias) {
  Trial trial;
  const Value x = trial.f32("x", x_shape()), weight = trial.f32("weight", weight_shape());
  const Value bias = trial.f32("bias", {GetParam().out});
  trial.output_all(trial.graph.append(Kind::convolution, "c", {x, weight, bias}, attributes()));
  expect_like_interpreter(trial);
}

TEST_P(Convolutions, FusedWithResidualAndRelu) {
  Trial trial;
  const Value x = trial.f32("x", x_shape()), weight = trial.f32("weight", weight_shape());
  const Value bias = trial.f32("bias", {GetParam().out}), residual = trial.f32("residual", y_shape());
  ConvolutionAttributes a = attributes();
  a.relu = true;
  trial.output_all(trial.graph.append(Kind::fused_convolution, "c", {x, weight, bias, residual}, a));
  expect_like_interpreter(trial, {.steps = 2});
}

TEST_P(Convolutions, FusedWithReluOnly) {
  Trial trial;
  const Value x = trial.f32("x", x_shape()), weight = trial.f32("weight", weight_shape());
  ConvolutionAttributes a = attributes();
  a.relu = true;
  const Value bias = trial.f32("bias", {GetParam().out});
  trial.output_all(trial.graph.append(Kind::fused_convolution, "c", {x, weight, bias}, a));
  expect_like_interpreter(trial);
}

TEST_P(Convolutions, GradientOfInput) {
  Trial trial;
  const Value dy = trial.f32("dy", y_shape()), weight = trial.f32("weight", weight_shape());
  trial.output_all(trial.graph.append(Kind::convolution_grad_input, "c", {dy, weight}, attributes()));
  expect_like_interpreter(trial);
}

TEST_P(Convolutions, GradientOfWeightAndBias) {
  Trial trial;
  const Value x = trial.f32("x", x_shape()), dy = trial.f32("dy", y_shape());
  ConvolutionAttributes a = attributes();
  a.bias = true;
  trial.output_all(trial.graph.append(Kind::convolution_grad_weight, "c", {x, dy}, a));
  expect_like_interpreter(trial);
}

TEST_P(Convolutions, GradientOfWeight) {
  Trial trial;
  const Value x = trial.f32("x", x_shape()), dy = trial.f32("dy", y_shape());
  trial.output_all(trial.graph.append(Kind::convolution_grad_weight, "c", {x, dy}, attributes()));
  expect_like_interpreter(trial);
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, Convolutions,
    testing::Values(ConvolutionCase{1, 1, 1, 1, 1, 1, 0},       // a single product
                    ConvolutionCase{2, 11, 3, 8, 7, 2, 3},      // images
                    ConvolutionCase{3, 9, 3, 10, 3, 1, 1},      // images, odd channels
                    ConvolutionCase{1, 5, 16, 24, 1, 1, 0},     // 1x1
                    ConvolutionCase{3, 7, 20, 12, 1, 1, 0},     // 1x1, odd channels
                    ConvolutionCase{2, 9, 16, 32, 1, 2, 0},     // 1x1, strided
                    ConvolutionCase{2, 8, 13, 21, 3, 1, 1},     // 3x3, odd channels
                    ConvolutionCase{1, 13, 32, 16, 3, 1, 1},    // 3x3
                    ConvolutionCase{3, 38, 16, 48, 3, 1, 1},    // 3x3, wide
                    ConvolutionCase{2, 10, 16, 16, 3, 2, 1},    // 3x3, strided
                    ConvolutionCase{2, 3, 16, 40, 3, 1, 0},     // 3x3 to one cell
                    ConvolutionCase{2, 19, 40, 50, 3, 1, 1},    // 3x3, odd blocks of channels
                    ConvolutionCase{1, 21, 300, 20, 3, 1, 1},   // 3x3, many channels in
                    ConvolutionCase{1, 38, 1000, 24, 3, 1, 1},  // 3x3, more than fits the cache
                    ConvolutionCase{1, 20, 18, 72, 3, 1, 0},    // 3x3, no padding
                    ConvolutionCase{1, 17, 24, 17, 3, 1, 2},    // 3x3, much padding
                    ConvolutionCase{2, 1, 16, 24, 3, 1, 1}));   // 3x3 on one cell

struct NormCase {
  std::int64_t images, size, channels;
  bool relu, residual;
};

class BatchNorms : public testing::TestWithParam<NormCase> {
 protected:
  Shape shape() const { return {GetParam().images, GetParam().size, GetParam().size, GetParam().channels}; }
  graph::BatchNormAttributes attributes() const {
    return {.relu = GetParam().relu, .residual = GetParam().residual};
  }
};

TEST_P(BatchNorms, Forward) {
  Trial trial;
  const Shape channels{GetParam().channels};
  std::vector<Value> inputs{trial.f32("x", shape()), trial.f32("scale", channels),
                            trial.f32("shift", channels)};
  if (GetParam().residual) inputs.push_back(trial.f32("residual", shape()));
  trial.output_all(trial.graph.append(Kind::batch_norm, "bn", std::move(inputs), attributes()));
  for (const int threads : {1, 2, 5}) expect_like_interpreter(trial, {.threads = threads});
}

TEST_P(BatchNorms, Gradient) {
  for (const bool summed : {false, true}) {
    Trial trial;
    const Shape channels{GetParam().channels};
    Value dy = trial.f32("dy", shape());
    if (summed) dy = {trial.graph.append(Kind::add, "sum", {dy, trial.f32("more", shape())})};
    trial.output_all(trial.graph.append(
        Kind::batch_norm_grad, "bn",
        {dy, trial.f32("x", shape()), trial.f32("y", shape()), trial.f32("scale", channels),
         trial.f32("mean", channels), trial.f32("variance", channels)},
        attributes()));
    trial.feeds["variance"] = graph::Array(channels);
    for (std::size_t c = 0; c < trial.feeds["variance"].values.size(); ++c)
      trial.feeds["variance"].values[c] = 0.25 * static_cast<double>(c + 1);
    for (const int threads : {1, 5}) expect_like_interpreter(trial, {.threads = threads});
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, BatchNorms,
                         testing::Values(NormCase{1, 2, 1, false, false}, NormCase{2, 9, 8, true, false},
                                         NormCase{3, 5, 20, true, true}, NormCase{2, 12, 33, false, true},
                                         NormCase{2, 1, 16, true, true}));

TEST(BatchNorm, KeepsItsPrecisionFarFromZero) {
  Trial trial;
  const Value x = trial.f32("x", {2, 40, 40, 8});
  trial.fill();
  for (double& value : trial.feeds["x"].values) value = 1000 + std::round(value * 512) / 512;
  trial.output_all(trial.graph.append(Kind::batch_norm, "bn",
                                      {x, trial.f32("scale", {8}), trial.f32("shift", {8})},
                                      graph::BatchNormAttributes{}));
  // The mean itself is rounded to 6e-5.
  expect_like_interpreter(trial, {.tolerance = 2e-4});
}

TEST(MaxPool, ForwardAndGradient) {
  for (const std::int64_t size : {1, 2, 7, 10}) {
    for (const graph::PoolAttributes attributes : {graph::PoolAttributes{}, graph::PoolAttributes{2, 1, 0}}) {
      if (size + 2 * attributes.padding < attributes.window) continue;
      Trial trial;
      const Value x = trial.f32("x", {2, size, size, 11});
      // Few different values, so that windows have ties.
      trial.fill();
      for (double& value : trial.feeds["x"].values) value = std::round(2 * value);
      const Value y{trial.graph.append(Kind::max_pool, "pool", {x}, attributes)};
      const Value dy = trial.f32("dy", trial.graph.type(y).shape);
      const int grad = trial.graph.append(Kind::max_pool_grad, "grad", {dy, x, y}, attributes);
      trial.graph.output("y", y, false);
      trial.output_all(grad);
      expect_like_interpreter(trial);
    }
  }
}

TEST(Normalize, ToTheFormOfItsReader) {
  for (const bool convolved : {true, false}) {
    Trial trial;
    const Value images = trial.graph.input("images", {DType::u8, {2, 5, 7, 3}});
    trial.feeds["images"] = graph::Array({2, 5, 7, 3});
    for (std::size_t i = 0; i < trial.feeds["images"].values.size(); ++i)
      trial.feeds["images"].values[i] = static_cast<double>(i * 37 % 256);
    Value y{trial.graph.append(Kind::normalize, "n", {images},
                               graph::NormalizeAttributes{{0.4, 0.5, 0.6}, {0.2, 0.3, 0.4}})};
    if (convolved)
      y = {trial.graph.append(Kind::convolution, "c", {y, trial.f32("weight", {5, 3, 3, 3})},
                              ConvolutionAttributes{.padding = 1, .kernel = 3})};
    trial.graph.output("y", y, false);
    expect_like_interpreter(trial);
  }
}

TEST(Heads, ViewAndGradient) {
  const graph::HeadAttributes heads{{{3, 3, 2}, {2, 2, 3}, {1, 1, 1}}, 4};
  Trial trial;
  std::vector<Value> maps;
  for (const graph::HeadLevel& level : heads.levels)
    maps.push_back(
        trial.f32(fmt::format("map{}", maps.size()), {2, level.height, level.width, level.boxes * 8}));
  const int view = trial.graph.append(Kind::head_view, "view", maps, heads);
  const Value dloc = trial.f32("dloc", {2, 31, 4}), dconf = trial.f32("dconf", {2, 31, 4});
  const int grad = trial.graph.append(Kind::head_view_grad, "grad", {dloc, dconf}, heads);
  trial.output_all(grad);
  trial.graph.output("loc", {view, 0}, false);
  trial.graph.output("conf", {view, 1}, false);
  expect_like_interpreter(trial, {.tolerance = 0});
}

TEST(Updates, SgdAndRunningStatistics) {
  Trial trial;
  const Value rate = trial.graph.input("rate", {DType::f32, {}}, false);
  int count = 0;
  for (const Shape& shape : {Shape{20, 12, 3, 3}, Shape{8, 3, 7, 7}, Shape{11}, Shape{9, 20, 1, 1}}) {
    const std::string name = fmt::format("w{}", count++);
    const Value weight = trial.f32(name, shape), gradient = trial.f32("g/" + name, shape);
    const Value momentum = trial.f32("m/" + name, shape);
    const int node = trial.graph.append(Kind::update, name, {weight, gradient, momentum, rate},
                                        graph::UpdateAttributes{graph::sgd_rule(0.9, 0.01)});
    trial.graph.update(weight, {node, 0});
    trial.graph.update(momentum, {node, 1});
  }
  const Value mean = trial.f32("mean", {7}), variance = trial.f32("variance", {7});
  const int running = trial.graph.append(Kind::running_statistics, "running",
                                         {mean, variance, trial.f32("bm", {7}), trial.f32("bv", {7})},
                                         graph::RunningAttributes{.count = 50});
  trial.graph.update(mean, {running, 0});
  trial.graph.update(variance, {running, 1});
  expect_like_interpreter(trial, {.tolerance = 1e-6, .steps = 3});
}

TEST(Updates, AnyRule) {
  Trial trial;
  const Value rate = trial.graph.input("rate", {DType::f32, {}}, false);
  const Value step = trial.graph.input("step", {DType::f32, {}}, false);
  const Value squares = trial.graph.input("squares", {DType::f32, {}}, false);
  trial.feeds["step"] = graph::Array(Shape{}, {3});
  trial.feeds["squares"] = graph::Array(Shape{}, {2.5});
  int count = 0;
  for (const Shape& shape : {Shape{40, 24, 3, 3}, Shape{8, 3, 7, 7}, Shape{11}, Shape{1}}) {
    const std::string name = fmt::format("w{}", count++);
    const Value weight = trial.f32(name, shape), gradient = trial.f32("g/" + name, shape);
    const Value mean = trial.f32("m/" + name, shape), square = trial.f32("s/" + name, shape);
    const int node =
        trial.graph.append(Kind::update, name, {weight, gradient, mean, square, rate, step, squares},
                           graph::UpdateAttributes{graph::rule_of_all_operations()});
    trial.graph.update(weight, {node, 0});
    trial.graph.update(mean, {node, 1});
    trial.graph.update(square, {node, 2});
  }
  expect_like_interpreter(trial, {.tolerance = 2e-6, .steps = 3});
}

// Blocked and thin weights with padding, vectors, and a tensor of several parts.
TEST(SquaredNorm, IsOfAllElements) {
  Trial trial;
  const Value x = trial.f32("x", {2, 5, 5, 20}), dy = trial.f32("dy", {2, 5, 5, 13});
  std::vector<Value> tensors{trial.f32("a", {11}), trial.f32("b", {1}), trial.f32("c", {300, 200})};
  tensors.push_back({trial.graph.append(Kind::convolution_grad_weight, "gradient", {x, dy},
                                        ConvolutionAttributes{.padding = 1, .kernel = 3, .bias = true}),
                     0});
  tensors.push_back({tensors.back().node, 1});
  const Value images = trial.f32("images", {2, 9, 9, 3}), dz = trial.f32("dz", {2, 9, 9, 10});
  tensors.push_back({trial.graph.append(Kind::convolution_grad_weight, "thin", {images, dz},
                                        ConvolutionAttributes{.padding = 1, .kernel = 3})});
  trial.output_all(trial.graph.append(Kind::squared_norm, "norm", tensors));
  expect_like_interpreter(trial, {.tolerance = 1e-6});
}

TEST(SquaredNorm, IsTheSameForAnyNumberOfThreads) {
  Trial trial;
  trial.output_all(trial.graph.append(Kind::squared_norm, "norm",
                                      {trial.f32("a", {300, 200}), trial.f32("b", {40, 24, 3, 3})}));
  trial.fill();
  std::vector<float> results;
  for (const int threads : {1, 2, 3, 4}) {
    CpuProgram program({trial.graph}, {.threads = threads});
    program.load(parameters_of(trial));
    results.push_back(program.run({})[0].as<float>()[0]);
  }
  for (const float result : results) EXPECT_EQ(result, results[0]);
}

// A weight and a slot that change places: what is made in place of one must not be read as the other.
TEST(Updates, ResultsThatAreOperands) {
  Trial trial;
  const Value rate = trial.graph.input("rate", {DType::f32, {}}, false);
  const Value weight = trial.f32("w", {600}), gradient = trial.f32("g", {600}), slot = trial.f32("s", {600});
  graph::UpdateFormula f;
  const auto w = f.weight(), s = f.slot(0);
  const int node = trial.graph.append(Kind::update, "swap", {weight, gradient, slot, rate},
                                      graph::UpdateAttributes{f.rule(s, {w})});
  trial.graph.update(weight, {node, 0});
  trial.graph.update(slot, {node, 1});
  expect_like_interpreter(trial, {.tolerance = 0, .steps = 3});
}

TEST(Updates, AllReduceOfOneReplicaChangesNothing) {
  Trial trial;
  const Value weight = trial.f32("w", {9, 10, 3, 3}), gradient = trial.f32("g", {9, 10, 3, 3});
  const int reduce = trial.graph.append(Kind::all_reduce, "all_reduce", {gradient});
  const Value sum{trial.graph.append(Kind::add, "sum", {weight, {reduce, 0}})};
  trial.graph.update(weight, sum);
  trial.graph.output("sum", sum, false);
  trial.graph.output("g", {reduce, 0}, false);
  expect_like_interpreter(trial, {.tolerance = 1e-6, .steps = 3});
}

TEST(Updates, OldValueStaysReadable) {
  // w becomes w + g; what is read after that is still the old w.
  Trial trial;
  const Value weight = trial.f32("w", {10}), gradient = trial.f32("g", {10});
  const Value next{trial.graph.append(Kind::add, "next", {weight, gradient})};
  const Value later{trial.graph.append(Kind::add, "later", {weight, next})};
  trial.graph.update(weight, next);
  trial.graph.output("later", later, false);
  trial.graph.output("w", weight, false);
  expect_like_interpreter(trial, {.tolerance = 1e-6, .steps = 3});
}

}  // namespace
}  // namespace ssd::cpu
