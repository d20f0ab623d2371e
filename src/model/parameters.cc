#include "model/parameters.h"

#include "boxes/default_boxes.h"

namespace ssd::model {

Tensor default_box_tensor() {
  const auto boxes = ssd300_default_boxes().centers();
  Tensor tensor(DType::f32, {static_cast<std::int64_t>(boxes.size()), 4});
  float* out = tensor.as<float>().data();
  for (const CenterBox& box : boxes)
    for (const float value : {box.cx, box.cy, box.width, box.height}) *out++ = value;
  return tensor;
}

TensorMap program_parameters(const ModelOptions& model, const State& state, const Optimizer& optimizer) {
  TensorMap parameters = training_parameters(model, state, optimizer);
  add_folded(parameters, model);
  parameters.insert_or_assign("default_boxes", default_box_tensor());
  return parameters;
}

TensorMap initial_parameters(const ModelOptions& model, const TensorMap& weights) {
  return program_parameters(model, {clone(weights), {}, {}}, optimizers().front());
}

}  // namespace ssd::model
