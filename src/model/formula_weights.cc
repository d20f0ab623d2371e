#include "model/formula_weights.h"

#include <cmath>

#include "model/state.h"

namespace ssd::model {
namespace {

std::uint64_t fnv1a(std::string_view name) {
  std::uint64_t hash = 0xCBF29CE484222325u;
  for (const char byte : name) hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001B3u;
  return hash;
}

Tensor formula_tensor(const StateTensor& tensor) {
  Tensor result(DType::f32, tensor.shape);
  const auto values = result.as<float>();
  if (is_statistic(tensor.name)) {
    if (tensor.name.ends_with("running_var"))
      for (float& value : values) value = 1;
    return result;
  }
  const bool head = tensor.name.starts_with("loc.") || tensor.name.starts_with("conf.");
  const bool convolution = tensor.shape.rank() == 4;
  double offset = 0, scale = head ? 0.05 : 0.1;
  if (convolution) {
    const double fan_in = static_cast<double>(tensor.shape.elements() / tensor.shape[0]);
    scale = (head ? 0.3 : 1.0) * std::sqrt(6 / fan_in);
  } else if (!head && tensor.name.ends_with("weight")) {
    offset = 1;
  }
  const std::vector<double> u = formula_values(tensor.name, values.size());
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(offset + scale * u[i]);
  return result;
}

}  // namespace

std::vector<double> formula_values(std::string_view name, std::size_t count) {
  std::vector<double> values(count);
  const std::uint64_t hash = fnv1a(name);
  for (std::size_t i = 0; i < count; ++i) {
    std::uint64_t z = hash + (i + 1) * 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    z ^= z >> 31;
    values[i] = static_cast<double>(z >> 11) * 0x1p-53 * 2 - 1;
  }
  return values;
}

TensorMap formula_weights(const ModelOptions& model) {
  TensorMap weights;
  for (const StateTensor& tensor : state_tensors(model)) weights.emplace(tensor.name, formula_tensor(tensor));
  return weights;
}

}  // namespace ssd::model
