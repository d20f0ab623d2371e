// Quantised convolutions and what lies between them, against the float64 interpreter with the same rounding.
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
using graph::Rounding;
using graph::Value;

constexpr Rounding bytes{.scale = 1.0 / 255}, signed_bytes{.scale = 1.0 / 127, .has_sign = true};

// The largest difference of an output is at most `steps[i]`: what one more or less of its rounding makes.
void expect_within(Trial& trial, const std::vector<double>& steps) {
  trial.fill();
  for (const std::int64_t block : {8, 16}) {
    CpuProgram program({trial.graph}, {.threads = 2, .block = block});
    program.load(parameters_of(trial));
    const std::vector<Tensor> inputs = inputs_of(trial);
    const std::vector<Tensor> outputs = program.run({inputs.begin(), inputs.end()});
    const graph::Interpretation expected = graph::interpret(trial.graph, trial.feeds);
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      const std::string& name = trial.graph.outputs()[i].name;
      const graph::Array got = graph::to_array(outputs[i]), &wanted = expected.outputs.at(name);
      ASSERT_EQ(got.shape, wanted.shape);
      double worst = 0, largest = 0;
      for (std::size_t k = 0; k < got.values.size(); ++k) {
        worst = std::max(worst, std::abs(got.values[k] - wanted.values[k]));
        largest = std::max(largest, std::abs(wanted.values[k]));
      }
      EXPECT_LE(worst, steps[i] * 1.0001) << name << ", blocks of " << block;
      EXPECT_GT(largest, 10 * steps[i]) << "a test of zeros";
    }
  }
}

#define SKIP_WITHOUT_VNNI() \
  if (!has_byte_products()) \
  GTEST_SKIP() << "this processor has no VNNI, and the cpu refuses quantised networks"

struct Case {
  std::int64_t images, size, in, out, kernel, stride, padding;
  Rounding x, y;
  bool relu, residual;
};
void PrintTo(const Case& c, std::ostream* out) {
  *out << c.images << " x " << c.size << " x " << c.size << " x " << c.in << " -> " << c.out << ", "
       << c.kernel << " x " << c.kernel << " / " << c.stride << (c.x.has_sign ? ", s8" : ", u8")
       << (c.y ? c.y.has_sign ? " to s8" : " to u8" : " to f32") << (c.residual ? ", residual" : "");
}
class QuantisedConvolutions : public testing::TestWithParam<Case> {};

TEST_P(QuantisedConvolutions, AreTheInterpreters) {
  SKIP_WITHOUT_VNNI();
  const Case& c = GetParam();
  Trial trial;
  const Value x = trial.f32("x", {c.images, c.size, c.size, c.in});
  std::vector<Value> inputs{x, trial.f32("weight", {c.out, c.in, c.kernel, c.kernel}),
                            trial.f32("bias", {c.out})};
  // A residual is added as it is held.
  graph::Array& values = trial.feeds["x"] = graph::Array({c.images, c.size, c.size, c.in});
  Random random(5, 0, 0);
  for (double& value : values.values)
    value = static_cast<double>(random.below(128)) * (c.x.has_sign && random.coin(0.5) ? -1 : 1) * c.x.scale;
  if (c.residual) inputs.push_back(x);
  trial.output_all(trial.graph.append(Kind::fused_convolution, "c", inputs,
                                      ConvolutionAttributes{.stride = c.stride,
                                                            .padding = c.padding,
                                                            .kernel = c.kernel,
                                                            .relu = c.relu,
                                                            .x_rounding = c.x,
                                                            .y_rounding = c.y}));
  expect_within(trial, {c.y ? c.y.scale : 1e-4});
}

constexpr Rounding coarse{.scale = 0.05}, coarse_signed{.scale = 0.1, .has_sign = true}, none{};
INSTANTIATE_TEST_SUITE_P(Shapes, QuantisedConvolutions,
                         testing::Values(Case{1, 1, 16, 16, 1, 1, 0, bytes, none, false, false},
                                         Case{2, 11, 3, 64, 7, 2, 3, signed_bytes, coarse, true, false},
                                         Case{2, 9, 64, 64, 3, 1, 1, bytes, coarse, true, true},
                                         Case{1, 8, 64, 128, 3, 2, 1, bytes, coarse, true, false},
                                         Case{2, 8, 64, 128, 1, 2, 0, bytes, coarse_signed, false, false},
                                         Case{2, 7, 32, 32, 3, 1, 1, signed_bytes, coarse, true, true},
                                         Case{1, 3, 128, 64, 3, 1, 0, bytes, coarse, true, false},
                                         Case{2, 5, 13, 21, 3, 1, 1, bytes, coarse_signed, false, false},
                                         Case{2, 6, 64, 42, 3, 1, 1, bytes, none, false, false}));

// images -> stem -> pool -> a block with a projected shortcut -> a head.
TEST(QuantisedNetwork, KeepsBytesFromTheImagesToTheHeads) {
  SKIP_WITHOUT_VNNI();
  Trial trial;
  graph::Graph& graph = trial.graph;
  int count = 0;
  const auto convolve = [&](std::vector<Value> inputs, std::int64_t out, ConvolutionAttributes a) {
    const std::string name = fmt::format("c{}", count++);
    const std::int64_t in = graph.type(inputs[0]).shape[3];
    const Value weight = trial.f32(name + ".weight", {out, in, a.kernel, a.kernel});
    inputs.insert(inputs.begin() + 1, {weight, trial.f32(name + ".bias", {out})});
    return Value{graph.append(Kind::fused_convolution, name, inputs, a)};
  };
  const Value images = graph.input("images", {DType::u8, {2, 13, 13, 3}});
  trial.feeds["images"] = graph::Array({2, 13, 13, 3});
  Random random(3, 0, 0);
  for (double& pixel : trial.feeds["images"].values) pixel = static_cast<double>(random.below(256));
  const graph::NormalizeAttributes normalize{{0.5, 0.5, 0.5}, {0.25, 0.25, 0.25}};
  const Rounding pixels{.scale = 2.0 / 127, .has_sign = true}, a{.scale = 0.04}, b{.scale = 0.1};
  const Value x{graph.append(Kind::normalize, "normalize", {images}, normalize)};
  const Value stem =
      convolve({x}, 24, {.padding = 1, .kernel = 3, .relu = true, .x_rounding = pixels, .y_rounding = a});
  const Value pool{graph.append(Kind::max_pool, "pool", {stem}, graph::PoolAttributes{})};
  const Value inner = convolve(
      {pool}, 32, {.stride = 2, .padding = 1, .kernel = 3, .relu = true, .x_rounding = a, .y_rounding = b});
  const Value shortcut = convolve({pool}, 32, {.stride = 2, .x_rounding = a, .y_rounding = {0.1, true}});
  const Value y = convolve({inner, shortcut}, 32,
                           {.padding = 1, .kernel = 3, .relu = true, .x_rounding = b, .y_rounding = b});
  const Value map = convolve({y}, 2 * 7, {.padding = 1, .kernel = 3, .x_rounding = b});
  const int head = graph.append(Kind::head_view, "heads", {map},
                                graph::HeadAttributes{.levels = {{4, 4, 2}}, .classes = 3});
  trial.output_all(head);
  // A tie on the way may fall to the other side: that is a step of b on a weight of at most 1.
  expect_within(trial, {0.2, 0.2});
}

TEST(QuantisedNetwork, RefusesWhatItHasNoCodeFor) {
  SKIP_WITHOUT_VNNI();
  Trial trial;
  const Value x = trial.f32("x", {1, 4, 4, 16}), bias = trial.f32("bias", {16});
  const Value weight = trial.f32("weight", {16, 16, 1, 1});
  const Value first{trial.graph.append(Kind::fused_convolution, "first", {x, weight, bias},
                                       ConvolutionAttributes{.x_rounding = bytes, .y_rounding = bytes})};
  trial.output_all(trial.graph.append(Kind::fused_convolution, "second", {first, weight, bias},
                                      ConvolutionAttributes{.x_rounding = coarse}));
  const std::string message = message_of([&] { CpuProgram({trial.graph}, {.threads = 1}); });
  EXPECT_NE(message.find("'second'"), std::string::npos) << message;
}

}  // namespace
}  // namespace ssd::cpu
