// Update rules for tests of the backends, which know no optimizers.
#pragma once

#include "graph/update_rule.h"

namespace ssd::graph {

// SGD with momentum in slot 0, as the recipe has it.
inline UpdateRule sgd_rule(double momentum, double weight_decay) {
  UpdateFormula f;
  const auto w = f.weight();
  const auto next = momentum * f.slot(0) + (f.gradient() + weight_decay * w);
  return f.rule(w - f.learning_rate() * next, {next});
}

// Every operation that a rule can have, over two slots, the number of the step and the gradients' squares.
inline UpdateRule rule_of_all_operations() {
  UpdateFormula f;
  const auto w = f.weight(), s = f.slot(0), t = f.slot(1);
  const auto g = minimum(f.constant(0.75) / (sqrt(f.squared_norm()) + 0.125), 1) * minimum(f.gradient(), 0.5);
  const auto mean = 0.9 * s + 0.1 * g;
  const auto square = 0.99 * (t * t) + g * g;
  const auto root = sqrt(square) / sqrt(one_minus_power(0.999, f.step())) + 0.25;
  return f.rule(w - (f.learning_rate() / one_minus_power(0.9, f.step())) * (mean / root) + 0.0,
                {mean, square});
}

}  // namespace ssd::graph
