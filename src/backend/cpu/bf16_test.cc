// Nodes whose activations are bf16, against the float64 interpreter.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>

#include "backend/cpu/onednn_isa.h"
#include "testing/cpu_programs.h"
#include "testing/message_of.h"

namespace ssd::cpu {
namespace {

using graph::ConvolutionAttributes;
using graph::Kind;
using graph::TensorType;
using graph::Value;

#define SKIP_WITHOUT_BF16() \
  if (!has_bf16_products()) \
  GTEST_SKIP() << "this processor has no products of bf16, and the cpu refuses networks in bf16"

// A result in bf16 is off by half a unit of its eight leading bits, one that was added up in it by a few.
constexpr double once = 1.0 / 256, in_parts = 4.0 / 256;

// What is fed is representable in bf16, so that no rounding of operands is in the comparison.
void expect_like_interpreter_in_bf16(Trial& trial, double tolerance, int steps = 1) {
  trial.fill();
  for (auto& [name, array] : trial.feeds)
    for (double& value : array.values) value = bf16_to_float(float_to_bf16(static_cast<float>(value)));
  for (const int threads : {1, 3})
    for (const std::int64_t block : {8, 16}) {
      SCOPED_TRACE(testing::Message() << threads << " threads, blocks of " << block);
      CpuProgram program({trial.graph}, {.threads = threads, .block = block});
      expect_like_interpreter(trial, &program, {.tolerance = tolerance, .steps = steps});
    }
}

Value bf16(Trial& trial, const std::string& name, const Shape& shape) {
  return trial.graph.parameter(name, {DType::bf16, shape});
}

struct Case {
  std::int64_t images, size, in, out, kernel, stride, padding;
};
void PrintTo(const Case& c, std::ostream* out) {
  *out << c.images << " x " << c.size << " x " << c.size << " x " << c.in << " -> " << c.out << ", "
       << c.kernel << " x " << c.kernel << " / " << c.stride << ", padding " << c.padding;
}

class Bf16Convolutions : public testing::TestWithParam<Case> {
 protected:
  ConvolutionAttributes attributes(DType output) const {
    const Case& c = GetParam();
    return {.stride = c.stride,
            .padding = c.padding,
            .kernel = c.kernel,
            .compute = DType::bf16,
            .output = output,
            .input = x_shape()};
  }
  Shape x_shape() const { return {GetParam().images, GetParam().size, GetParam().size, GetParam().in}; }
  Shape y_shape() const {
    const Case& c = GetParam();
    const std::int64_t size = (c.size + 2 * c.padding - c.kernel) / c.stride + 1;
    return {c.images, size, size, c.out};
  }
  Shape weight_shape() const { return {GetParam().out, GetParam().in, GetParam().kernel, GetParam().kernel}; }
};

TEST_P(Bf16Convolutions, Forward) {
  SKIP_WITHOUT_BF16();
  for (const DType output : {DType::f32, DType::bf16})
    for (const bool biased : {false, true}) {
      Trial trial;
      std::vector<Value> inputs{bf16(trial, "x", x_shape()), trial.f32("weight", weight_shape())};
      if (biased) inputs.push_back(trial.f32("bias", {GetParam().out}));
      trial.output_all(trial.graph.append(Kind::convolution, "c", inputs, attributes(output)));
      expect_like_interpreter_in_bf16(trial, output == DType::f32 ? 1e-5 : once);
    }
}

// The weight is reordered once, and again when it was loaded anew.
TEST_P(Bf16Convolutions, Fused) {
  SKIP_WITHOUT_BF16();
  for (const bool residual : {false, true}) {
    Trial trial;
    std::vector<Value> inputs{bf16(trial, "x", x_shape()), trial.f32("weight", weight_shape()),
                              trial.f32("bias", {GetParam().out})};
    if (residual) inputs.push_back(bf16(trial, "residual", y_shape()));
    ConvolutionAttributes a = attributes(DType::bf16);
    a.relu = true;
    trial.output_all(trial.graph.append(Kind::fused_convolution, "c", inputs, a));
    expect_like_interpreter_in_bf16(trial, residual ? 2 * once : once, 2);

    CpuProgram program({trial.graph}, {.threads = 2, .block = preferred_block()});
    for (const double factor : {1.0, -0.5}) {
      for (double& value : trial.feeds["weight"].values) value *= factor;
      expect_like_interpreter(trial, &program, {.tolerance = residual ? 2 * once : once});
    }
  }
}

TEST_P(Bf16Convolutions, GradientOfInput) {
  SKIP_WITHOUT_BF16();
  for (const DType dy : {DType::f32, DType::bf16}) {  // f32, as of the heads, is held in bf16 as well
    Trial trial;
    const std::vector<Value> inputs{trial.graph.parameter("dy", {dy, y_shape()}),
                                    trial.f32("weight", weight_shape())};
    trial.output_all(trial.graph.append(Kind::convolution_grad_input, "c", inputs, attributes(DType::bf16)));
    expect_like_interpreter_in_bf16(trial, once);
  }
}

TEST_P(Bf16Convolutions, GradientOfWeightAndBias) {
  SKIP_WITHOUT_BF16();
  for (const bool biased : {false, true}) {
    Trial trial;
    ConvolutionAttributes a = attributes(DType::bf16);
    a.bias = biased;
    const std::vector<Value> inputs{bf16(trial, "x", x_shape()), bf16(trial, "dy", y_shape())};
    trial.output_all(trial.graph.append(Kind::convolution_grad_weight, "c", inputs, a));
    expect_like_interpreter_in_bf16(trial, 1e-5);
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, Bf16Convolutions,
                         testing::Values(Case{1, 1, 1, 1, 1, 1, 0},      // a single product
                                         Case{2, 11, 3, 8, 7, 2, 3},     // images
                                         Case{3, 7, 20, 12, 1, 1, 0},    // 1x1, odd channels
                                         Case{2, 9, 16, 32, 1, 2, 0},    // 1x1, strided
                                         Case{2, 8, 13, 21, 3, 1, 1},    // 3x3, odd channels
                                         Case{1, 38, 64, 64, 3, 1, 1},   // 3x3
                                         Case{2, 10, 32, 64, 3, 2, 1},   // 3x3, strided
                                         Case{2, 3, 16, 40, 3, 1, 0},    // 3x3 to one cell
                                         Case{2, 1, 16, 24, 3, 1, 1}));  // 3x3 on one cell

// Channels that fill no vector, one and several planes of a thread.
TEST(Bf16, BatchNormAndItsGradient) {
  for (const std::int64_t channels : {1, 8, 20, 33, 64, 300})
    for (const bool residual : {false, true}) {
      SCOPED_TRACE(testing::Message() << channels << " channels, residual " << residual);
      const Shape shape{3, 9, 9, channels}, vector{channels};
      const graph::BatchNormAttributes attributes{.relu = residual, .residual = residual};
      Trial trial;
      std::vector<Value> inputs{bf16(trial, "x", shape), trial.f32("scale", vector),
                                trial.f32("shift", vector)};
      if (residual) inputs.push_back(bf16(trial, "residual", shape));
      trial.output_all(trial.graph.append(Kind::batch_norm, "bn", inputs, attributes));
      expect_like_interpreter_in_bf16(trial, once);

      Trial backward;
      Value dy = bf16(backward, "dy", shape);
      dy = {backward.graph.append(Kind::add, "sum", {dy, bf16(backward, "more", shape)})};
      backward.output_all(backward.graph.append(
          Kind::batch_norm_grad, "bn",
          {dy, bf16(backward, "x", shape), bf16(backward, "y", shape), backward.f32("scale", vector),
           backward.f32("mean", vector), backward.f32("variance", vector)},
          attributes));
      backward.feeds["variance"] = graph::Array(vector);
      for (double& value : backward.feeds["variance"].values) value = 0.75;
      expect_like_interpreter_in_bf16(backward, in_parts);
    }
}

TEST(Bf16, MaxPoolAndItsGradient) {
  for (const std::int64_t channels : {3, 16, 70}) {
    Trial trial;
    const Value x = bf16(trial, "x", {2, 10, 10, channels});
    trial.fill();
    for (double& value : trial.feeds["x"].values) value = std::round(2 * value);  // windows have ties
    const Value y{trial.graph.append(Kind::max_pool, "pool", {x}, graph::PoolAttributes{})};
    const Value dy = bf16(trial, "dy", trial.graph.type(y).shape);
    trial.output_all(trial.graph.append(Kind::max_pool_grad, "grad", {dy, x, y}, graph::PoolAttributes{}));
    trial.graph.output("y", y, false);
    expect_like_interpreter_in_bf16(trial, in_parts);
  }
}

TEST(Bf16, NormalizeAndAdd) {
  Trial trial;
  const Value images = trial.graph.input("images", {DType::u8, {2, 5, 7, 3}});
  trial.feeds["images"] = graph::Array({2, 5, 7, 3});
  for (std::size_t i = 0; i < trial.feeds["images"].values.size(); ++i)
    trial.feeds["images"].values[i] = static_cast<double>(i * 37 % 256);
  const Value x{
      trial.graph.append(Kind::normalize, "n", {images},
                         graph::NormalizeAttributes{{0.4, 0.5, 0.6}, {0.2, 0.3, 0.4}, DType::bf16})};
  const Value sum{trial.graph.append(Kind::add, "sum", {x, bf16(trial, "more", {2, 5, 7, 3})})};
  trial.graph.output("x", x, false);
  trial.graph.output("sum", sum, false);
  expect_like_interpreter_in_bf16(trial, 2 * once);
}

// From the heads' gradients in f32, which convolutions in bf16 alone read, to a weight's.
TEST(Bf16, GradientsOfHeadsAreHeldInBf16) {
  SKIP_WITHOUT_BF16();
  const graph::HeadAttributes heads{{{3, 3, 2}, {2, 2, 3}}, 4};
  Trial trial;
  const Value dloc = trial.f32("dloc", {2, 30, 4}), dconf = trial.f32("dconf", {2, 30, 4});
  const int grad = trial.graph.append(Kind::head_view_grad, "grad", {dloc, dconf}, heads);
  for (int level = 0; level < 2; ++level) {
    const std::int64_t side = 3 - level, channels = (2 + level) * 8;
    const Value x = bf16(trial, fmt::format("x{}", level), {2, side, side, 5});
    const int weight = trial.graph.append(
        Kind::convolution_grad_weight, fmt::format("w{}", level), {x, {grad, level}},
        ConvolutionAttributes{.padding = 1, .kernel = 3, .compute = DType::bf16, .output = DType::bf16});
    trial.graph.output(fmt::format("{}", level), {weight}, false);
    EXPECT_EQ(trial.graph.type({weight}).shape, Shape({channels, 5, 3, 3}));
  }
  const auto layouts = layouts_of(trial.graph, preferred_block());
  EXPECT_TRUE(layouts[grad][0].bf16);
  expect_like_interpreter_in_bf16(trial, 1e-5);
}

TEST(Bf16, MixedPrecisionsAreRefused) {
  SKIP_WITHOUT_BF16();
  Trial trial;
  const Value x = bf16(trial, "x", {1, 3, 3, 8});
  trial.output_all(trial.graph.append(Kind::convolution, "of f32", {x, trial.f32("weight", {8, 8, 1, 1})},
                                      ConvolutionAttributes{}));
  const std::string message = message_of([&] { CpuProgram({trial.graph}, {}); });
  EXPECT_NE(message.find("of f32"), std::string::npos) << message;
  EXPECT_NE(message.find("precision"), std::string::npos) << message;
}

}  // namespace
}  // namespace ssd::cpu
