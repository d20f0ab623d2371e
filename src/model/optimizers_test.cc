#include "model/optimizers.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "graph/interpreter/interpreter.h"
#include "testing/message_of.h"

namespace ssd::model {
namespace {

constexpr double rate = 0.01, decay = 0.1;  // decay is what every test passes as weight_decay

double gradient_at(int step, std::size_t element) {
  return std::sin(1.7 * step + static_cast<double>(element));
}

// Some steps of an optimizer by the interpreter; the weight after them. A gradient of `size` times
// gradient_at.
std::vector<double> weights_after(const OptimizerOptions& options, int steps, Part part = Part::weight,
                                  double size = 1) {
  const Optimizer& optimizer = optimizer_named(options.name);
  const Shape shape{4};
  const graph::TensorType type{DType::f32, shape};
  graph::Graph graph;
  const graph::UpdateRule rule = optimizer.rule(options, part);
  std::vector<graph::Value> inputs{graph.parameter("w", type), graph.input("g", type)};
  graph::Feeds feeds{{"w", graph::Array(shape, {1, -2, 0.5, 3})}, {"rate", graph::Array(Shape{}, {rate})}};
  for (const std::string_view slot : optimizer.slots) {
    inputs.push_back(graph.parameter(std::string(slot), type));
    feeds[std::string(slot)] = graph::Array(shape);
  }
  inputs.push_back(graph.input("rate", {DType::f32, {}}, false));
  if (rule.uses(graph::UpdateRule::Op::step)) inputs.push_back(graph.input("step", {DType::f32, {}}, false));
  if (options.clip_norm > 0) inputs.push_back({graph.append(graph::Kind::squared_norm, "norm", {inputs[1]})});
  const int node = graph.append(graph::Kind::update, "update", inputs, graph::UpdateAttributes{rule});
  graph.update(inputs[0], {node, 0});
  for (int slot = 0; slot < static_cast<int>(optimizer.slots.size()); ++slot)
    graph.update(inputs[2 + static_cast<std::size_t>(slot)], {node, 1 + slot});
  for (int step = 1; step <= steps; ++step) {
    feeds["step"] = graph::Array(Shape{}, {static_cast<double>(step)});
    graph::Array gradient(shape);
    for (std::size_t i = 0; i < 4; ++i) gradient.values[i] = size * gradient_at(step, i);
    feeds["g"] = gradient;
    for (auto& [name, array] : graph::interpret(graph, feeds).updates) feeds[name] = array;
  }
  return feeds["w"].values;
}

// PyTorch's torch.optim.SGD, as its documentation writes it.
TEST(Optimizers, SgdIsPytorchs) {
  const std::vector<double> got = weights_after({.name = "sgd", .weight_decay = decay, .momentum = 0.9}, 7);
  std::vector<double> w{1, -2, 0.5, 3}, b(4);
  for (int step = 1; step <= 7; ++step)
    for (std::size_t i = 0; i < 4; ++i) {
      const double g = gradient_at(step, i) + decay * w[i];
      b[i] = step == 1 ? g : 0.9 * b[i] + g;
      w[i] -= rate * b[i];
    }
  for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR(got[i], w[i], 1e-12);
}

// PyTorch's torch.optim.AdamW, as its documentation writes it.
TEST(Optimizers, AdamWIsPytorchs) {
  const std::vector<double> got = weights_after(
      {.name = "adamw", .weight_decay = decay, .beta1 = 0.8, .beta2 = 0.99, .epsilon = 1e-3}, 7);
  std::vector<double> w{1, -2, 0.5, 3}, m(4), v(4);
  for (int step = 1; step <= 7; ++step)
    for (std::size_t i = 0; i < 4; ++i) {
      const double g = gradient_at(step, i);
      w[i] -= rate * decay * w[i];
      m[i] = 0.8 * m[i] + 0.2 * g;
      v[i] = 0.99 * v[i] + 0.01 * g * g;
      const double m_hat = m[i] / (1 - std::pow(0.8, step)), v_hat = v[i] / (1 - std::pow(0.99, step));
      w[i] -= rate * m_hat / (std::sqrt(v_hat) + 1e-3);
    }
  for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR(got[i], w[i], 1e-12);
}

// LARS as Lightning Flash's and NVIDIA's Apex write it, in plain loops.
std::vector<double> lars_by_hand(const OptimizerOptions& options, int steps) {
  std::vector<double> w{1, -2, 0.5, 3}, b(4);
  for (int step = 1; step <= steps; ++step) {
    double weight_norm = 0, gradient_norm = 0;
    for (std::size_t i = 0; i < 4; ++i) {
      weight_norm += w[i] * w[i];
      gradient_norm += gradient_at(step, i) * gradient_at(step, i);
    }
    weight_norm = std::sqrt(weight_norm), gradient_norm = std::sqrt(gradient_norm);
    const double trust = options.trust_coefficient * weight_norm /
                         (gradient_norm + options.weight_decay * weight_norm + options.epsilon);
    for (std::size_t i = 0; i < 4; ++i) {
      b[i] = options.momentum * b[i] + trust * (gradient_at(step, i) + options.weight_decay * w[i]);
      w[i] -= rate * b[i];
    }
  }
  return w;
}

TEST(Optimizers, LarsScalesByTheNormsOfWeightAndGradient) {
  for (const double weight_decay : {decay, 0.0}) {
    const OptimizerOptions options{.name = "lars",
                                   .weight_decay = weight_decay,
                                   .momentum = 0.8,
                                   .trust_coefficient = 0.3,
                                   .epsilon = 1e-2};
    const std::vector<double> got = weights_after(options, 7), expected = lars_by_hand(options, 7);
    for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR(got[i], expected[i], 1e-12);
  }
}

TEST(Optimizers, LarsTakesVectorsAsSgdDoes) {
  const std::vector<double> got = weights_after({.name = "lars", .weight_decay = decay}, 7, Part::vector);
  const std::vector<double> sgd = weights_after({.name = "sgd", .weight_decay = 0}, 7);
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(got[i], sgd[i]);
}

// Trust is 1 where the gradient is zero: the weight decays as with SGD.
TEST(Optimizers, LarsWithoutAGradientIsSgd) {
  const std::vector<double> got = weights_after({.name = "lars", .weight_decay = decay}, 7, Part::weight, 0);
  const std::vector<double> sgd = weights_after({.name = "sgd", .weight_decay = decay}, 7, Part::weight, 0);
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(got[i], sgd[i]);
}

// torch.nn.utils.clip_grad_norm_, as its documentation writes it, before either optimizer: of the gradients'
// norms, between 1.1 and 1.7, some are clipped and some are not.
TEST(Optimizers, ClipByTheNormOfAllGradientsAsPytorch) {
  constexpr double most = 1.4;
  const auto clipped = [](int step, std::size_t element) {
    double square = 0;
    for (std::size_t i = 0; i < 4; ++i) square += gradient_at(step, i) * gradient_at(step, i);
    return gradient_at(step, element) * std::min(1.0, most / (std::sqrt(square) + 1e-6));
  };
  int small = 0;
  const std::vector<double> sgd = weights_after({.name = "sgd", .weight_decay = decay, .clip_norm = most}, 7);
  const std::vector<double> adamw = weights_after({.name = "adamw",
                                                   .weight_decay = decay,
                                                   .beta1 = 0.8,
                                                   .beta2 = 0.99,
                                                   .epsilon = 1e-3,
                                                   .clip_norm = most},
                                                  7);
  std::vector<double> w{1, -2, 0.5, 3}, b(4), a{1, -2, 0.5, 3}, m(4), v(4);
  for (int step = 1; step <= 7; ++step) {
    small += clipped(step, 0) == gradient_at(step, 0);
    for (std::size_t i = 0; i < 4; ++i) {
      const double g = clipped(step, i);
      b[i] = 0.9 * b[i] + g + decay * w[i];
      w[i] -= rate * b[i];
      a[i] -= rate * decay * a[i];
      m[i] = 0.8 * m[i] + 0.2 * g;
      v[i] = 0.99 * v[i] + 0.01 * g * g;
      const double m_hat = m[i] / (1 - std::pow(0.8, step)), v_hat = v[i] / (1 - std::pow(0.99, step));
      a[i] -= rate * m_hat / (std::sqrt(v_hat) + 1e-3);
    }
  }
  EXPECT_GT(small, 0);
  EXPECT_LT(small, 7);
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_NEAR(sgd[i], w[i], 1e-12);
    EXPECT_NEAR(adamw[i], a[i], 1e-12);
  }
}

// Backends pad tensors with zeros, which must stay zeros.
TEST(Optimizers, ZerosStayZeros) {
  for (const Optimizer& optimizer : optimizers()) {
    const graph::UpdateRule rule = optimizer.rule({.weight_decay = decay}, Part::weight);
    EXPECT_EQ(rule.slots.size(), optimizer.slots.size()) << optimizer.name;
    graph::Graph graph;
    const graph::TensorType type{DType::f32, {1}};
    std::vector<graph::Value> inputs{graph.parameter("w", type), graph.input("g", type)};
    graph::Feeds feeds{{"w", graph::Array(Shape{1})}, {"g", graph::Array(Shape{1})}};
    for (const std::string_view slot : optimizer.slots) {
      inputs.push_back(graph.parameter(std::string(slot), type));
      feeds[std::string(slot)] = graph::Array(Shape{1});
    }
    for (const char* scalar : {"rate", "step"}) {
      if (scalar == std::string("step") && !rule.uses(graph::UpdateRule::Op::step)) continue;
      inputs.push_back(graph.input(scalar, {DType::f32, {}}, false));
      feeds[scalar] = graph::Array(Shape{}, {1});
    }
    const int node = graph.append(graph::Kind::update, "update", inputs, graph::UpdateAttributes{rule});
    for (int i = 0; i <= static_cast<int>(rule.slots.size()); ++i)
      graph.output(std::to_string(i), {node, i}, false);
    for (const auto& [name, array] : graph::interpret(graph, feeds).outputs)
      EXPECT_EQ(array.values[0], 0) << optimizer.name << ", result " << name;
  }
}

TEST(Optimizers, AnUnknownOneIsNamedWithTheKnown) {
  const std::string message = message_of([&] { optimizer_named("adam"); });
  EXPECT_NE(message.find("sgd, adamw, lars"), std::string::npos) << message;
}

}  // namespace
}  // namespace ssd::model
