// Parameters of training graphs, complete.
#pragma once

#include "base/tensor.h"
#include "model/optimizers.h"
#include "model/state.h"

namespace ssd::model {

// The default boxes as the graphs take them: f32 (8732, 4), cxcywh.
Tensor default_box_tensor();

// What a training program is loaded with: training_parameters, what is folded of frozen layers,
// and the default boxes.
TensorMap program_parameters(const ModelOptions& model, const State& state, const Optimizer& optimizer);
// The same for weights alone, under the recipe's optimizer.
TensorMap initial_parameters(const ModelOptions& model, const TensorMap& weights);

}  // namespace ssd::model
