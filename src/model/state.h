// From the tensors of a checkpoint (the reference's state_dict names) to the parameters of the graphs and
// back.
//
// The graphs differ from the state_dict in the heads: parameter heads.K.{weight,bias} is loc.K and conf.K,
// joined along the first dimension.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/tensor.h"
#include "model/optimizers.h"
#include "model/options.h"

namespace ssd::model {

struct StateTensor {
  std::string name;     // in the state_dict: "loc.0.weight"
  Shape shape;          // convolution weights (O,I,R,S), vectors (C)
  bool trained = true;  // false: running statistics, and all of a frozen layer
  double bound = 0;     // of a rank-1 head tensor: its initial values are uniform in +- bound
};

// Every floating-point tensor of the state_dict, in network order.
std::vector<StateTensor> state_tensors(const ModelOptions& model);

// Whether the tensor of this name is a running average: running_mean, running_var.
bool is_statistic(const std::string& name);

// The exponential moving average of the trained tensors: its name in State::averages, and what stands before
// the names of its parameters.
inline constexpr const char *ema = "ema", *ema_prefix = "average/ema/";

// What training has come to.
struct State {
  TensorMap weights;  // the state_dict
  // The optimizer's, by the slot's name (optimizers.h): of the trained tensors, under the same names.
  std::map<std::string, TensorMap> slots;
  // By name, of some or all of the weights' tensors. "ema": the moving average of the trained ones.
  // "running": the running statistics, where those among the weights have been re-estimated.
  std::map<std::string, TensorMap> averages;
};

// Parameters of a training graph: weights, running statistics, the optimizer's slots (zero where `state` has
// none of that name). default_boxes is for the caller to add. Throws Error when a tensor is missing or has
// another shape.
TensorMap training_parameters(const ModelOptions& model, const State& state, const Optimizer& optimizer);
// Adds the parameters of the moving average; where `state` has none it begins with the weights.
void add_average(TensorMap& parameters, const ModelOptions& model, const State& state);
// Tensors by graph parameter (weights, gradients, ...) under their state_dict names: heads.K is split into
// loc.K and conf.K, other names stay.
TensorMap by_state_name(const ModelOptions& model, const TensorMap& by_parameter);
// The way back from training_parameters.
State state_of(const ModelOptions& model, const TensorMap& parameters, const Optimizer& optimizer);

// The tensors of frozen layers, which a training program does not give back.
TensorMap frozen_weights(const ModelOptions& model, const TensorMap& weights);

// Adds what a training graph has of frozen layers: folded_prefix + their names, folded as below.
void add_folded(TensorMap& parameters, const ModelOptions& model);

// Parameters of the inference graph: each batch norm folded into its convolution, computed in double:
// w' = w * scale / sqrt(variance + eps), b' = shift - mean * scale / sqrt(variance + eps).
TensorMap inference_parameters(const ModelOptions& model, const TensorMap& weights);

// Fresh weights: backbone convolutions normal with variance 2 / (O * R * S) (He et al. 2015), additional
// blocks and heads Xavier-uniform, head biases uniform in +- 1 / sqrt(I * R * S), batch norm 1 and 0. The
// same seed gives the same weights.
TensorMap initial_weights(const ModelOptions& model, std::uint64_t seed);

// Copies a pretrained backbone with torchvision's names ("conv1.weight", "layer1.0.bn1.bias") or with the
// reference's into `weights`. Tensors of layer4 and fc and num_batches_tracked are passed over. Throws Error,
// naming the first, when a backbone tensor is missing or has another shape.
void adopt_backbone(TensorMap& weights, const TensorMap& backbone);

// Throws Error unless `weights` has exactly the model's tensors (num_batches_tracked apart), saying which
// backbone or number of classes it looks like where that can be told.
void check_weights(const ModelOptions& model, const TensorMap& weights);

}  // namespace ssd::model
