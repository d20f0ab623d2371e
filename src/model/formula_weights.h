// Weights from a formula, so that two programs can compare what they compute without a weight file.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/tensor.h"
#include "model/options.h"

namespace ssd::model {

// `count` doubles in [-1, 1): element i is made by splitmix64 (Steele, Lea and Flood 2014) from the name's
// 64-bit FNV-1a hash plus (i + 1) times the golden ratio's constant.
std::vector<double> formula_values(std::string_view name, std::size_t count);

// The state_dict of that formula: convolutions scaled by sqrt(6 / fan_in) (heads by 0.3 of it), head biases
// by 0.05, batch-norm scales 1 + 0.1 u and shifts 0.1 u, running means 0 and variances 1.
TensorMap formula_weights(const ModelOptions& model);

}  // namespace ssd::model
