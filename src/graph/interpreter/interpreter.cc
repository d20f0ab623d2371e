#include "graph/interpreter/interpreter.h"

#include <cassert>

#include "base/error.h"
#include "graph/interpreter/nodes.h"

namespace ssd::graph {
namespace {

template <typename T>
void copy_values(const TensorView& view, Array& array) {
  const auto values = view.as<T>();
  array.values.assign(values.begin(), values.end());
}

// All values of one replica: [node][output].
using Values = std::vector<Arrays>;

Inputs inputs_of(const Node& node, const Values& values) {
  Inputs inputs;
  for (const Value value : node.inputs) inputs.push_back(&values[value.node][value.output]);
  return inputs;
}

// Replicas first .. first + count - 1 of a node that they compute together.
template <typename Eval>
void evaluate_together(const Node& node, int id, std::vector<Values>& replicas, int group, const Eval& eval) {
  const std::size_t size = static_cast<std::size_t>(group);
  assert(replicas.size() % size == 0);
  for (std::size_t first = 0; first < replicas.size(); first += size) {
    std::vector<Inputs> inputs;
    for (std::size_t i = 0; i < size; ++i) inputs.push_back(inputs_of(node, replicas[first + i]));
    std::vector<Arrays> outputs = eval(inputs);
    for (std::size_t i = 0; i < size; ++i) replicas[first + i][id] = std::move(outputs[i]);
  }
}

// A node that every replica computes for itself.
Arrays evaluate(const Node& node, const Inputs& in, const Feeds& feeds) {
  switch (node.kind) {
    case Kind::input:
    case Kind::parameter: {
      const auto found = feeds.find(node.name);
      if (found == feeds.end()) throw Error("interpreter: no values for '{}'", node.name);
      if (!(found->second.shape == node.outputs[0].shape))
        throw Error("interpreter: '{}': got {}, expected {}", node.name, to_string(found->second.shape),
                    to_string(node.outputs[0].shape));
      return {found->second};
    }
    case Kind::normalize:
      return eval_normalize(node.as<NormalizeAttributes>(), in);
    case Kind::convolution:
      return eval_convolution(node.as<ConvolutionAttributes>(), in, false);
    case Kind::fused_convolution:
      return eval_convolution(node.as<ConvolutionAttributes>(), in, true);
    case Kind::convolution_grad_input:
      return eval_convolution_grad_input(node.as<ConvolutionAttributes>(), in);
    case Kind::convolution_grad_weight:
      return eval_convolution_grad_weight(node.as<ConvolutionAttributes>(), in);
    case Kind::max_pool:
      return eval_max_pool(node.as<PoolAttributes>(), in);
    case Kind::max_pool_grad:
      return eval_max_pool_grad(node.as<PoolAttributes>(), in);
    case Kind::add:
      return eval_add(in);
    case Kind::head_view:
      return eval_head_view(node.as<HeadAttributes>(), in);
    case Kind::head_view_grad:
      return eval_head_view_grad(node.as<HeadAttributes>(), in);
    case Kind::multibox_loss:
      return eval_multibox_loss(node.as<LossAttributes>(), in);
    case Kind::multibox_loss_grad:
      return eval_multibox_loss_grad(node.as<LossAttributes>(), in);
    case Kind::running_statistics:
      return eval_running_statistics(node.as<RunningAttributes>(), in);
    case Kind::update:
      return eval_update(node.as<UpdateAttributes>(), in);
    case Kind::squared_norm:
      return eval_squared_norm(in);
    case Kind::batch_norm:
    case Kind::batch_norm_grad:
    case Kind::all_reduce:
      break;
  }
  assert(false && "replicas compute these together");
  return {};
}

void evaluate_node(const Graph& graph, int id, const std::vector<Feeds>& feeds,
                   std::vector<Values>& replicas) {
  const Node& node = graph.nodes()[id];
  if (node.kind == Kind::batch_norm || node.kind == Kind::batch_norm_grad) {
    const auto& attributes = node.as<BatchNormAttributes>();
    evaluate_together(node, id, replicas, attributes.group, [&](const std::vector<Inputs>& in) {
      return node.kind == Kind::batch_norm ? eval_batch_norm(attributes, in)
                                           : eval_batch_norm_grad(attributes, in);
    });
  } else if (node.kind == Kind::all_reduce) {
    evaluate_together(node, id, replicas, static_cast<int>(replicas.size()), eval_all_reduce);
  } else {
    for (std::size_t r = 0; r < replicas.size(); ++r)
      replicas[r][id] = evaluate(node, inputs_of(node, replicas[r]), feeds[r]);
  }
}

}  // namespace

Array to_array(const TensorView& view) {
  Array array(view.shape);
  switch (view.dtype) {
    case DType::f64:
      copy_values<double>(view, array);
      return array;
    case DType::u8:
      copy_values<std::uint8_t>(view, array);
      return array;
    case DType::i32:
      copy_values<std::int32_t>(view, array);
      return array;
    case DType::i64:
      copy_values<std::int64_t>(view, array);
      return array;
    case DType::f32:
    case DType::f16:
    case DType::bf16: {
      const Tensor wide = to_f32(view);
      copy_values<float>(wide, array);
      return array;
    }
  }
  return array;
}

Tensor to_tensor(const Array& array, DType dtype) {
  Tensor tensor(dtype, array.shape);
  for (std::size_t i = 0; i < array.values.size(); ++i) {
    const double value = array.values[i];
    switch (dtype) {
      case DType::f64:
        tensor.as<double>()[i] = value;
        break;
      case DType::f32:
        tensor.as<float>()[i] = static_cast<float>(value);
        break;
      case DType::bf16:
        tensor.as<std::uint16_t>()[i] = float_to_bf16(static_cast<float>(value));
        break;
      case DType::u8:
        tensor.as<std::uint8_t>()[i] = static_cast<std::uint8_t>(value);
        break;
      case DType::i32:
        tensor.as<std::int32_t>()[i] = static_cast<std::int32_t>(value);
        break;
      case DType::i64:
        tensor.as<std::int64_t>()[i] = static_cast<std::int64_t>(value);
        break;
      case DType::f16:
        throw Error("interpreter: f16 tensors are read, not made");
    }
  }
  return tensor;
}

std::vector<Interpretation> interpret_replicas(const Graph& graph, const std::vector<Feeds>& feeds) {
  const int nodes = static_cast<int>(graph.nodes().size());
  std::vector<Values> replicas(feeds.size(), Values(graph.nodes().size()));
  for (int id = 0; id < nodes; ++id) evaluate_node(graph, id, feeds, replicas);
  std::vector<Interpretation> results(feeds.size());
  for (std::size_t r = 0; r < feeds.size(); ++r) {
    for (const Output& output : graph.outputs())
      results[r].outputs[output.name] = replicas[r][output.value.node][output.value.output];
    for (const Update& update : graph.updates())
      results[r].updates[graph.nodes()[update.parameter].name] =
          replicas[r][update.value.node][update.value.output];
  }
  return results;
}

Interpretation interpret(const Graph& graph, const Feeds& feeds) {
  return interpret_replicas(graph, {feeds})[0];
}

}  // namespace ssd::graph
