#include "train/inference_weights.h"

#include <cmath>

namespace ssd {

bool is_finite(const TensorMap& tensors) {
  for (const auto& [name, tensor] : tensors)
    for (const float value : tensor.as<float>())
      if (!std::isfinite(value)) return false;
  return true;
}

const TensorMap& InferenceWeights::after(std::int64_t step, const TensorMap& weights) {
  if (step == step_) return weights_;
  weights_ = clone(weights);
  if (reestimate()) reestimate_batch_norm(weights_, device_, model_, dataset_, options_);
  step_ = step;
  return weights_;
}

}  // namespace ssd
