#include "model/optimizers.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/error.h"

namespace ssd::model {
namespace {

using graph::UpdateFormula;
using graph::UpdateRule;

double decay_of(const OptimizerOptions& options, Part part) {
  return part == Part::weight ? options.weight_decay : 0;
}

// A gradient, or its norm, as it is taken: clipped where the options say so.
UpdateFormula::Term clipped(UpdateFormula& f, const OptimizerOptions& options, UpdateFormula::Term term) {
  if (options.clip_norm <= 0) return term;
  const auto largest = f.constant(options.clip_norm) / (sqrt(f.squared_norm()) + 1e-6);
  return term * minimum(largest, 1);
}

UpdateFormula::Term gradient(UpdateFormula& f, const OptimizerOptions& options) {
  return clipped(f, options, f.gradient());
}

// m' = momentum * m + (g + decay * w); w' = w - rate * m'.
UpdateRule sgd(const OptimizerOptions& options, Part part) {
  UpdateFormula f;
  const double weight_decay = decay_of(options, part);
  const auto w = f.weight(), g = gradient(f, options), m = f.slot(0);
  const auto next = options.momentum * m + (g + weight_decay * w);
  return f.rule(w - f.learning_rate() * next, {next});
}

// Loshchilov and Hutter, "Decoupled Weight Decay Regularization", 2019, algorithm 2, with the decay
// multiplied by the learning rate, as PyTorch does: m' = b1 m + (1 - b1) g; v' = b2 v + (1 - b2) g g; w' = w
// - rate * decay * w - rate / (1 - b1^t) * m' / (sqrt(v') / sqrt(1 - b2^t) + epsilon).
UpdateRule adamw(const OptimizerOptions& options, Part part) {
  UpdateFormula f;
  const double weight_decay = decay_of(options, part);
  const auto w = f.weight(), g = gradient(f, options), m = f.slot(0), v = f.slot(1);
  const auto rate = f.learning_rate(), t = f.step();
  const auto mean = options.beta1 * m + (1 - options.beta1) * g;
  const auto square = options.beta2 * v + (1 - options.beta2) * (g * g);
  const auto root = sqrt(square) / sqrt(one_minus_power(options.beta2, t)) + options.epsilon;
  const auto decayed = w - (weight_decay * rate) * w;
  return f.rule(decayed - (rate / one_minus_power(options.beta1, t)) * (mean / root), {mean, square});
}

// You, Gitman and Ginsburg, "Large Batch Training of Convolutional Networks", 2017, with the learning rate
// outside of the momentum, as in NVIDIA's Apex and in Lightning Flash:
// trust = coefficient * |w| / (|g| + decay * |w| + epsilon); m' = momentum * m + trust * (g + decay * w);
// w' = w - rate * m'. Trust is 1 for vectors, and where the weight or its gradient is zero. A layer is a
// convolution: that of a level's head, boxes and classes together, has one trust.
UpdateRule lars(const OptimizerOptions& options, Part part) {
  if (part == Part::vector) return sgd(options, part);
  UpdateFormula f;
  const auto w = f.weight(), g = gradient(f, options), m = f.slot(0);
  const auto weight_norm = f.weight_norm(), gradient_norm = clipped(f, options, f.gradient_norm());
  const auto some = positive(weight_norm) * positive(gradient_norm), none = f.constant(1) - some;
  const auto size = gradient_norm + options.weight_decay * weight_norm + options.epsilon;
  const auto trust = some * (options.trust_coefficient * weight_norm / (size + none)) + none;
  const auto next = options.momentum * m + trust * (g + options.weight_decay * w);
  return f.rule(w - f.learning_rate() * next, {next});
}

}  // namespace

std::span<const Optimizer> optimizers() {
  static const std::vector<Optimizer> all{
      {.name = "sgd", .slots = {"momentum"}, .rate_per_32 = 2.6e-3, .rule = sgd},
      {.name = "adamw", .slots = {"mean", "square"}, .rate_per_32 = 1e-4, .rule = adamw},
      {.name = "lars", .slots = {"momentum"}, .rate_per_32 = 0.04, .rule = lars},
  };
  return all;
}

const Optimizer& optimizer_named(std::string_view name) {
  std::vector<std::string_view> names;
  for (const Optimizer& optimizer : optimizers()) {
    if (optimizer.name == name) return optimizer;
    names.push_back(optimizer.name);
  }
  throw Error("optimizer: got '{}', expected one of {}", name, fmt::join(names, ", "));
}

}  // namespace ssd::model
