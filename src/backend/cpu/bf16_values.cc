#include "backend/cpu/bf16_values.h"

#include <algorithm>

#include "backend/cpu/executor.h"
#include "base/error.h"

namespace ssd::cpu {
namespace {

using graph::ConvolutionAttributes;
using graph::Graph;
using graph::Kind;
using graph::Node;
using graph::Value;

bool computes_in_bf16(const Node& node) {
  const auto* convolution = std::get_if<ConvolutionAttributes>(&node.attributes);
  return convolution != nullptr && convolution->compute == DType::bf16;
}

// Whether a convolution rounds this input to the type that it computes in: activations and their gradients
// that it multiplies.
bool is_operand(const Node& node, std::size_t input) {
  return input == 0 || (input == 1 && node.kind == Kind::convolution_grad_weight);
}

bool has_code_for_bf16(const Node& node) {
  switch (node.kind) {
    case Kind::convolution:
    case Kind::convolution_grad_input:
    case Kind::convolution_grad_weight:
    case Kind::fused_convolution:
      return computes_in_bf16(node);
    case Kind::batch_norm:
    case Kind::batch_norm_grad:
    case Kind::max_pool:
    case Kind::max_pool_grad:
    case Kind::add:
      return true;
    case Kind::input:
    case Kind::parameter:
    case Kind::normalize:
    case Kind::head_view:
    case Kind::head_view_grad:
    case Kind::multibox_loss:
    case Kind::multibox_loss_grad:
    case Kind::running_statistics:
    case Kind::update:
    case Kind::squared_norm:
    case Kind::all_reduce:
      return false;
  }
  return false;
}

}  // namespace

Bf16Values::Bf16Values(const Graph& graph) {
  std::vector<std::vector<bool>> read, read_otherwise;
  for (const Node& node : graph.nodes()) {
    const std::size_t count = node.outputs.size();
    for (auto* flags : {&held_, &channels_last_, &read, &read_otherwise}) flags->emplace_back(count);
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      const auto [from, output] = node.inputs[i];
      auto& flags = computes_in_bf16(node) && is_operand(node, i) ? read : read_otherwise;
      flags[from][output] = true;
    }
  }
  for (const graph::Output& output : graph.outputs())
    read_otherwise[output.value.node][output.value.output] = true;
  for (const graph::Update& update : graph.updates())
    read_otherwise[update.value.node][update.value.output] = true;

  for (std::size_t id = 0; id < held_.size(); ++id) {
    const Node& node = graph.nodes()[id];
    for (std::size_t i = 0; i < node.outputs.size(); ++i) {
      if (node.outputs[i].shape.rank() != 4) continue;
      held_[id][i] = node.outputs[i].dtype == DType::bf16 || (read[id][i] && !read_otherwise[id][i]);
      channels_last_[id][i] = computes_in_bf16(node) && node.kind != Kind::convolution_grad_weight;
    }
  }
}

void check_bf16(const Task& task) {
  const Node& node = *task.node;
  const auto fits = [&](std::size_t i) {
    const Layout& in = task.in(i);
    if (in.type.shape.rank() != 4 || in.form == Form::dense) return true;
    return in.bf16 ? has_code_for_bf16(node) : !(computes_in_bf16(node) && is_operand(node, i));
  };
  for (std::size_t i = 0; i < task.input_layouts.size(); ++i)
    if (!fits(i))
      throw Error(
          "cpu: {} '{}': got operand {} as {} beside other precisions in a way that has no code; take one "
          "precision from the images to the heads",
          graph::name_of(node.kind), node.name, i, to_string(task.in(i).type));
  const bool alike = std::ranges::all_of(task.output_layouts, [&](const Layout& out) {
    return out.form == task.out(0).form && out.bf16 == task.out(0).bf16;
  });
  if (node.kind == Kind::head_view_grad && !alike)
    throw Error("cpu: '{}': got gradients that are read in several precisions, expected one", node.name);
}

}  // namespace ssd::cpu
