#include "model/state.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/error.h"
#include "base/random.h"
#include "boxes/ssd300.h"
#include "model/resnet.h"
#include "model/ssd300.h"

namespace ssd::model {
namespace {

constexpr double epsilon = 1e-5;  // of batch norm

bool is_head(const ConvolutionLayer& layer) { return layer.batch_norm.empty(); }

// The level of a head layer: "heads.3" -> 3.
int level_of(const ConvolutionLayer& layer) { return layer.name.back() - '0'; }

// Adds the tensors of a head, as the state_dict splits them.
void append_head_tensors(std::vector<StateTensor>& tensors, const ConvolutionLayer& layer,
                         std::int64_t classes) {
  const int level = level_of(layer);
  const std::int64_t boxes = boxes_per_cell[level];
  const double bound = 1 / std::sqrt(static_cast<double>(layer.in * layer.kernel * layer.kernel));
  for (const auto& [part, rows] : {std::pair("loc", boxes * 4), std::pair("conf", boxes * classes)}) {
    const std::string name = fmt::format("{}.{}", part, level);
    tensors.push_back({name + ".weight", {rows, layer.in, layer.kernel, layer.kernel}});
    tensors.push_back({name + ".bias", {rows}, true, bound});
  }
}

const Tensor& find(const TensorMap& tensors, const std::string& name, const Shape& shape) {
  const auto found = tensors.find(name);
  if (found == tensors.end())
    throw Error("weights: tensor '{}' is missing; is this the right backbone?", name);
  if (!(found->second.shape() == shape))
    throw Error(
        "weights: tensor '{}': got shape {}, expected {}; is this the right backbone and number of classes?",
        name, to_string(found->second.shape()), to_string(shape));
  return found->second;
}

// loc.K and conf.K on top of each other.
Tensor joined(const Tensor& loc, const Tensor& conf) {
  std::vector<std::int64_t> extents(loc.shape().extents().begin(), loc.shape().extents().end());
  extents[0] += conf.shape()[0];
  Tensor result(DType::f32, Shape(std::move(extents)));
  std::memcpy(result.data(), loc.data(), loc.bytes());
  std::memcpy(result.data() + loc.bytes(), conf.data(), conf.bytes());
  return result;
}

// Rows first .. first + count - 1 of a tensor.
Tensor rows_of(const Tensor& tensor, std::int64_t first, const Shape& shape) {
  Tensor result(DType::f32, shape);
  const std::size_t row = tensor.bytes() / static_cast<std::size_t>(tensor.shape()[0]);
  std::memcpy(result.data(), tensor.data() + static_cast<std::size_t>(first) * row, result.bytes());
  return result;
}

// "loc.3.weight" -> "heads.3.weight", and the row of the joined tensor where it starts.
struct Place {
  std::string parameter;
  std::int64_t row = 0;
};
Place place_of(const std::string& name) {
  for (const std::string part : {"loc.", "conf."}) {
    if (!name.starts_with(part)) continue;
    const int level = name[part.size()] - '0';
    return {"heads." + name.substr(part.size()), part == "loc." ? 0 : boxes_per_cell[level] * 4};
  }
  return {name, 0};
}

// State_dict tensors under graph names: a head's two tensors become one. `prefix` goes before each name.
void add_parameters(TensorMap& parameters, const std::vector<StateTensor>& tensors, const TensorMap& source,
                    const std::string& prefix) {
  for (const StateTensor& tensor : tensors) {
    const Place place = place_of(tensor.name);
    if (tensor.name.starts_with("conf.")) continue;  // comes with its loc
    const Tensor& first = find(source, tensor.name, tensor.shape);
    if (!tensor.name.starts_with("loc.")) {
      parameters.insert_or_assign(prefix + place.parameter, first.clone());
      continue;
    }
    const std::string partner = "conf." + tensor.name.substr(4);
    const auto shape = std::find_if(tensors.begin(), tensors.end(), [&](const StateTensor& other) {
                         return other.name == partner;
                       })->shape;
    parameters.insert_or_assign(prefix + place.parameter, joined(first, find(source, partner, shape)));
  }
}

// The way back: the parameters PREFIX + graph name that there are, under the tensors' names.
TensorMap under_state_names(const std::vector<StateTensor>& tensors, const TensorMap& parameters,
                            const std::string& prefix) {
  TensorMap result;
  for (const StateTensor& tensor : tensors) {
    const Place place = place_of(tensor.name);
    const auto found = parameters.find(prefix + place.parameter);
    if (found != parameters.end())
      result.emplace(tensor.name, rows_of(found->second, place.row, tensor.shape));
  }
  return result;
}

std::vector<StateTensor> only_trained(std::vector<StateTensor> tensors) {
  std::erase_if(tensors, [](const StateTensor& tensor) { return !tensor.trained; });
  return tensors;
}

// Standard deviation or bound of a fresh convolution weight, and its values.
void initialise_weight(Tensor& weight, const std::string& name, Random random) {
  const Shape& shape = weight.shape();
  const double window = static_cast<double>(shape[2] * shape[3]);
  const double fan_out = static_cast<double>(shape[0]) * window,
               fan_in = static_cast<double>(shape[1]) * window;
  const bool backbone = name.starts_with("feature_extractor.");
  const double deviation = std::sqrt(2 / fan_out), bound = std::sqrt(6 / (fan_in + fan_out));
  for (float& value : weight.as<float>())
    value = static_cast<float>(backbone ? deviation * random.normal() : random.uniform(-bound, bound));
}

// Folds a layer's batch norm into `weight`; returns the bias.
Tensor fold(const TensorMap& parameters, const ConvolutionLayer& layer, Tensor& weight) {
  const auto scale = parameters.at(layer.batch_norm + ".weight").as<float>();
  const auto shift = parameters.at(layer.batch_norm + ".bias").as<float>();
  const auto mean = parameters.at(layer.batch_norm + ".running_mean").as<float>();
  const auto variance = parameters.at(layer.batch_norm + ".running_var").as<float>();
  const auto weights = weight.as<float>();
  Tensor bias(DType::f32, {layer.out});
  const std::size_t row = weights.size() / static_cast<std::size_t>(layer.out);
  for (std::size_t c = 0; c < scale.size(); ++c) {
    const double factor = scale[c] / std::sqrt(variance[c] + epsilon);
    bias.as<float>()[c] = static_cast<float>(shift[c] - mean[c] * factor);
    for (float& w : weights.subspan(c * row, row)) w = static_cast<float>(w * factor);
  }
  return bias;
}

}  // namespace

std::vector<StateTensor> state_tensors(const ModelOptions& model) {
  std::vector<StateTensor> tensors;
  for (const ConvolutionLayer& layer : convolution_layers(model)) {
    if (is_head(layer)) {
      append_head_tensors(tensors, layer, model.classes);
      continue;
    }
    const bool trained = !layer.frozen;
    tensors.push_back({layer.name + ".weight", {layer.out, layer.in, layer.kernel, layer.kernel}, trained});
    for (const char* part : {".weight", ".bias"})
      tensors.push_back({layer.batch_norm + part, {layer.out}, trained});
    for (const char* part : {".running_mean", ".running_var"})
      tensors.push_back({layer.batch_norm + part, {layer.out}, false});
  }
  return tensors;
}

TensorMap training_parameters(const ModelOptions& model, const State& state, const Optimizer& optimizer) {
  const std::vector<StateTensor> tensors = state_tensors(model), trained = only_trained(tensors);
  TensorMap parameters;
  add_parameters(parameters, tensors, state.weights, "");
  for (const std::string_view slot : optimizer.slots) {
    const std::string prefix = fmt::format("{}/", slot);
    if (const auto kept = state.slots.find(std::string(slot)); kept != state.slots.end()) {
      add_parameters(parameters, trained, kept->second, prefix);
      continue;
    }
    for (const StateTensor& tensor : trained) {
      const std::string name = place_of(tensor.name).parameter;
      parameters.insert_or_assign(prefix + name, Tensor(DType::f32, parameters.at(name).shape()));
    }
  }
  return parameters;
}

void add_average(TensorMap& parameters, const ModelOptions& model, const State& state) {
  const auto kept = state.averages.find(ema);
  add_parameters(parameters, only_trained(state_tensors(model)),
                 kept == state.averages.end() ? state.weights : kept->second, ema_prefix);
}

TensorMap by_state_name(const ModelOptions& model, const TensorMap& by_parameter) {
  return under_state_names(state_tensors(model), by_parameter, "");
}

State state_of(const ModelOptions& model, const TensorMap& parameters, const Optimizer& optimizer) {
  const std::vector<StateTensor> tensors = state_tensors(model);
  State state{.weights = under_state_names(tensors, parameters, ""), .slots = {}, .averages = {}};
  for (const std::string_view slot : optimizer.slots)
    state.slots[std::string(slot)] = under_state_names(tensors, parameters, fmt::format("{}/", slot));
  if (TensorMap average = under_state_names(tensors, parameters, ema_prefix); !average.empty())
    state.averages[ema] = std::move(average);
  return state;
}

TensorMap frozen_weights(const ModelOptions& model, const TensorMap& weights) {
  TensorMap frozen;
  for (const ConvolutionLayer& layer : convolution_layers(model)) {
    if (!layer.frozen) continue;
    frozen.emplace(layer.name + ".weight", weights.at(layer.name + ".weight").clone());
    for (const char* part : {".weight", ".bias", ".running_mean", ".running_var"})
      frozen.emplace(layer.batch_norm + part, weights.at(layer.batch_norm + part).clone());
  }
  return frozen;
}

void add_folded(TensorMap& parameters, const ModelOptions& model) {
  for (const ConvolutionLayer& layer : convolution_layers(model)) {
    if (!layer.frozen) continue;
    Tensor weight = parameters.at(layer.name + ".weight").clone();
    Tensor bias = fold(parameters, layer, weight);
    parameters.insert_or_assign(folded_prefix + layer.name + ".weight", std::move(weight));
    parameters.insert_or_assign(folded_prefix + layer.name + ".bias", std::move(bias));
  }
}

TensorMap inference_parameters(const ModelOptions& model, const TensorMap& weights) {
  TensorMap parameters;
  add_parameters(parameters, state_tensors(model), weights, "");
  for (const ConvolutionLayer& layer : convolution_layers(model)) {
    if (is_head(layer)) continue;
    Tensor bias = fold(parameters, layer, parameters.at(layer.name + ".weight"));
    for (const char* part : {".weight", ".bias", ".running_mean", ".running_var"})
      parameters.erase(layer.batch_norm + part);
    parameters.emplace(layer.name + ".bias", std::move(bias));
  }
  return parameters;
}

bool is_statistic(const std::string& name) {
  return name.ends_with("running_mean") || name.ends_with("running_var");
}

TensorMap initial_weights(const ModelOptions& model, std::uint64_t seed) {
  constexpr std::uint32_t stream = 0x77656967;  // apart from the streams of the input pipeline
  TensorMap weights;
  std::uint64_t number = 0;
  for (const StateTensor& tensor : state_tensors(model)) {
    Tensor values(DType::f32, tensor.shape);
    Random random(seed, stream, number++);
    if (tensor.shape.rank() == 4) {
      initialise_weight(values, tensor.name, random);
    } else if (tensor.bound > 0) {
      for (float& value : values.as<float>())
        value = static_cast<float>(random.uniform(-tensor.bound, tensor.bound));
    } else if (tensor.name.ends_with("weight") || tensor.name.ends_with("running_var")) {
      for (float& value : values.as<float>()) value = 1;
    }
    weights.emplace(tensor.name, std::move(values));
  }
  return weights;
}

void adopt_backbone(TensorMap& weights, const TensorMap& backbone) {
  TensorMap renamed;
  for (const auto& [name, tensor] : backbone) {
    const std::string ours = name.starts_with("feature_extractor.") ? name : ssd_name_of_torchvision(name);
    if (ours.empty() || ours.ends_with("num_batches_tracked")) continue;
    if (!weights.contains(ours))
      throw Error(
          "pretrained backbone: got tensor '{}', which this backbone does not have; choose the --backbone "
          "that the file is of",
          name);
    renamed.emplace(ours, to_f32(tensor));
  }
  for (auto& [name, tensor] : weights)
    if (name.starts_with("feature_extractor.")) tensor = find(renamed, name, tensor.shape()).clone();
}

void check_weights(const ModelOptions& model, const TensorMap& weights) {
  const std::vector<StateTensor> tensors = state_tensors(model);
  for (const StateTensor& tensor : tensors) find(weights, tensor.name, tensor.shape);
  for (const auto& [name, value] : weights) {
    const bool known =
        name.ends_with("num_batches_tracked") ||
        std::any_of(tensors.begin(), tensors.end(),
                    [&, &key = name](const StateTensor& tensor) { return tensor.name == key; });
    if (!known)
      throw Error("weights: got tensor '{}', which {} does not have", name, name_of(model.backbone));
  }
}

}  // namespace ssd::model
