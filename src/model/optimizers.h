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
  double weight_decay = 5e-4;       // of weights (Part::weight) only
  double momentum = 0.9;            // SGD's and LARS's
  double trust_coefficient = 1e-3;  // LARS's: the share of a weight's norm that a step of rate 1 moves it
  double beta1 = 0.9;               // Adam's: how much of the mean gradient stays from step to step,
  double beta2 = 0.999;             // and of the mean square
  double epsilon = 1e-8;  // added to what is divided by: Adam's root of the mean square, LARS's norms
  // The most of the norm of all gradients together, which are made smaller where it is larger, as PyTorch's
  // clip_grad_norm_ does: g * min(1, clip_norm / (norm + 1e-6)). 0: they stay.
  double clip_norm = 0;
};

// What a trained tensor is to its optimizer.
enum class Part {
  weight,  // of a convolution: rank above 1
  vector,  // a bias, or a batch norm's scale or shift: neither decayed nor scaled by its norm
};

struct Optimizer {
  std::string_view name;                // as in --optimizer
  std::vector<std::string_view> slots;  // tensors of a weight's shape, zero at first: "momentum"
  double rate_per_32;                   // the default learning rate, for every 32 images of a step
  graph::UpdateRule (*rule)(const OptimizerOptions& options, Part part);
};

// All of them; the first is the recipe's.
std::span<const Optimizer> optimizers();

// Throws Error, naming those that there are, for another name.
const Optimizer& optimizer_named(std::string_view name);

}  // namespace ssd::model
