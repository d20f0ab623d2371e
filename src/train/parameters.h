// Parameters of training graphs, complete.
#pragma once

#include "base/tensor.h"
#include "model/state.h"

namespace ssd {

// The default boxes as the graphs take them: f32 (8732, 4), cxcywh.
Tensor default_box_tensor();

// What a training program is loaded with: model::training_parameters and the default boxes.
TensorMap program_parameters(const model::ModelOptions& model, const model::State& state);
// The same for weights without momentum.
TensorMap initial_parameters(const model::ModelOptions& model, const TensorMap& weights);

// Tensors, copied.
TensorMap clone(const TensorMap& tensors);

}  // namespace ssd
