// Numbers that are none: NaN and infinities, which make nonsense of everything after them.
#pragma once

#include <span>
#include <string>

#include "base/tensor.h"

namespace ssd {

// Whether no element is NaN or infinite.
bool is_finite(std::span<const float> values);

// The name of the first f32 tensor that is not finite; empty: there is none.
std::string not_finite(const TensorMap& tensors);

// Throws Error, with `name` in front, for tensors that are not finite.
void check_finite(const TensorMap& tensors, const std::string& name);

}  // namespace ssd
