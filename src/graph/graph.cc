#include "graph/graph.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>

#include "base/error.h"
#include "graph/infer.h"

namespace ssd::graph {

std::string to_string(const TensorType& type) {
  return fmt::format("{} {}", name_of(type.dtype), to_string(type.shape));
}

std::string_view name_of(Kind kind) {
  switch (kind) {
    case Kind::input:
      return "input";
    case Kind::parameter:
      return "parameter";
    case Kind::normalize:
      return "normalize";
    case Kind::convolution:
      return "convolution";
    case Kind::convolution_grad_input:
      return "convolution_grad_input";
    case Kind::convolution_grad_weight:
      return "convolution_grad_weight";
    case Kind::fused_convolution:
      return "fused_convolution";
    case Kind::batch_norm:
      return "batch_norm";
    case Kind::batch_norm_grad:
      return "batch_norm_grad";
    case Kind::max_pool:
      return "max_pool";
    case Kind::max_pool_grad:
      return "max_pool_grad";
    case Kind::add:
      return "add";
    case Kind::head_view:
      return "head_view";
    case Kind::head_view_grad:
      return "head_view_grad";
    case Kind::multibox_loss:
      return "multibox_loss";
    case Kind::multibox_loss_grad:
      return "multibox_loss_grad";
    case Kind::running_statistics:
      return "running_statistics";
    case Kind::update:
      return "update";
    case Kind::squared_norm:
      return "squared_norm";
    case Kind::all_reduce:
      return "all_reduce";
  }
  return "?";
}

int Graph::append(Kind kind, std::string name, std::vector<Value> inputs, Attributes attributes) {
  std::vector<TensorType> types;
  types.reserve(inputs.size());
  for (const Value value : inputs) types.push_back(type(value));
  std::vector<TensorType> outputs = infer(kind, name, attributes, types);
  nodes_.push_back({kind, std::move(name), std::move(inputs), std::move(outputs), std::move(attributes)});
  return static_cast<int>(nodes_.size()) - 1;
}

Value Graph::leaf(Kind kind, std::string name, TensorType type, Attributes attributes) {
  const auto same_name = [&](const Node& node) { return node.kind == kind && node.name == name; };
  if (std::any_of(nodes_.begin(), nodes_.end(), same_name))
    throw Error("graph: got a second {} named '{}', expected each name once", name_of(kind), name);
  nodes_.push_back({kind, std::move(name), {}, {std::move(type)}, std::move(attributes)});
  return {static_cast<int>(nodes_.size()) - 1, 0};
}

Value Graph::input(std::string name, TensorType type, bool sharded) {
  const Value value = leaf(Kind::input, std::move(name), std::move(type), InputAttributes{sharded});
  inputs_.push_back(value.node);
  return value;
}

Value Graph::parameter(std::string name, TensorType type) {
  const Value value = leaf(Kind::parameter, std::move(name), std::move(type), {});
  parameters_.push_back(value.node);
  return value;
}

void Graph::update(Value parameter, Value value) {
  assert(node(parameter).kind == Kind::parameter);
  if (!(type(parameter) == type(value)))
    throw Error("update of '{}': got {}, expected {}", node(parameter).name, to_string(type(value)),
                to_string(type(parameter)));
  updates_.push_back({parameter.node, value});
}

}  // namespace ssd::graph
