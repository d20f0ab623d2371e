// The weights that evaluations and a run's last checkpoint have.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/tensor.h"
#include "model/state.h"
#include "train/batch_norm_statistics.h"

namespace ssd {

// Weights with re-estimated batch-norm statistics (batch_norm_statistics.h), made once a step.
class InferenceWeights {
 public:
  // What is wrong where they are not finite and training's weights are.
  static constexpr std::string_view what = "re-estimated batch-norm statistics";

  // Where training keeps a moving average of its weights they are made of that. options.images of 0: the
  // running averages stay as they are. All outlive this.
  InferenceWeights(graph::Device& device, const model::ModelOptions& model, const Dataset& dataset,
                   const StatisticsOptions& options)
      : device_(device), model_(model), dataset_(dataset), options_(options) {}

  // Whether they differ from training's weights.
  bool differ(const model::State& state) const {
    return options_.images > 0 || state.averages.contains(model::ema);
  }

  // Those of what training has come to after `step`.
  const TensorMap& after(std::int64_t step, const model::State& state);

 private:
  graph::Device& device_;
  const model::ModelOptions& model_;
  const Dataset& dataset_;
  StatisticsOptions options_;
  TensorMap weights_;  // of step_
  std::int64_t step_ = -1;
};

}  // namespace ssd
