#include "train/inference_weights.h"

namespace ssd {

const TensorMap& InferenceWeights::after(std::int64_t step, const TensorMap& weights) {
  if (step == step_) return weights_;
  weights_ = clone(weights);
  if (reestimate()) reestimate_batch_norm(weights_, device_, model_, dataset_, options_);
  step_ = step;
  return weights_;
}

}  // namespace ssd
