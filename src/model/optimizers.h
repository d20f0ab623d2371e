// The optimizers: what each keeps of every trained tensor, and how it changes a weight.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "graph/update_rule.h"

namespace ssd::model {

struct OptimizerOptions {
  std::string name = "sgd";
  double weight_decay = 5e-4;  // of tensors of rank > 1 only
  double momentum = 0.9;       // SGD's
  double beta1 = 0.9;          // Adam's: how much of the mean gradient stays from step to step,
  double beta2 = 0.999;        // and of the mean square
  double epsilon = 1e-8;       // Adam's: added to the root of the mean square
  // The most of the norm of all gradients together, which are made smaller where it is larger, as PyTorch's
  // clip_grad_norm_ does: g * min(1, clip_norm / (norm + 1e-6)). 0: they stay.
  double clip_norm = 0;
};

struct Optimizer {
  std::string_view name;                // as in --optimizer
  std::vector<std::string_view> slots;  // tensors of a weight's shape, zero at first: "momentum"
  double rate_per_32;                   // the default learning rate, for every 32 images of a step
  graph::UpdateRule (*rule)(const OptimizerOptions& options, double weight_decay);
};

// All of them; the first is the recipe's.
std::span<const Optimizer> optimizers();

// Throws Error, naming those that there are, for another name.
const Optimizer& optimizer_named(std::string_view name);

}  // namespace ssd::model
