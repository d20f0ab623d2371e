#include "train/inference_weights.h"

namespace ssd {

const TensorMap& InferenceWeights::after(std::int64_t step, const model::State& state) {
  if (step == step_) return weights_;
  weights_ = clone(state.weights);
  if (const auto averaged = state.averages.find(model::ema); averaged != state.averages.end())
    for (const auto& [name, tensor] : averaged->second) weights_.insert_or_assign(name, tensor.clone());
  if (options_.images > 0) reestimate_batch_norm(weights_, device_, model_, dataset_, options_);
  step_ = step;
  return weights_;
}

}  // namespace ssd
