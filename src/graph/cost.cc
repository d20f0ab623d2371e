#include "graph/cost.h"

namespace ssd::graph {
namespace {

double elements(const TensorType& type) { return static_cast<double>(type.shape.elements()); }
double bytes(const TensorType& type) { return elements(type) * static_cast<double>(size_of(type.dtype)); }

// Multiply-adds of a convolution count twice: each output element sums I * R * S products.
double convolution_flops(const Shape& y, std::int64_t channels_in, std::int64_t kernel) {
  return 2.0 * static_cast<double>(y.elements()) * static_cast<double>(channels_in * kernel * kernel);
}

double flops(const Graph& graph, const Node& node) {
  const auto in = [&](std::size_t i) -> const TensorType& { return graph.type(node.inputs[i]); };
  switch (node.kind) {
    case Kind::input:
    case Kind::parameter:
    case Kind::head_view:
    case Kind::head_view_grad:
      return 0;
    case Kind::normalize:
      return 2 * elements(node.outputs[0]);
    case Kind::convolution:
    case Kind::fused_convolution:
      return convolution_flops(node.outputs[0].shape, in(0).shape[3],
                               node.as<ConvolutionAttributes>().kernel);
    case Kind::convolution_grad_input:
      return convolution_flops(in(0).shape, node.outputs[0].shape[3],
                               node.as<ConvolutionAttributes>().kernel);
    case Kind::convolution_grad_weight:
      return convolution_flops(in(1).shape, in(0).shape[3], node.as<ConvolutionAttributes>().kernel);
    case Kind::batch_norm:  // mean 1, variance 3, normalize 2, residual and ReLU 1 each
      return (6 + node.as<BatchNormAttributes>().relu + node.as<BatchNormAttributes>().residual) *
             elements(in(0));
    case Kind::batch_norm_grad:  // two sums of 1 and 3, dx 5
      return 9 * elements(in(0));
    case Kind::max_pool:
    case Kind::max_pool_grad: {
      const auto window = static_cast<double>(node.as<PoolAttributes>().window);
      return window * window * elements(node.kind == Kind::max_pool ? node.outputs[0] : in(0));
    }
    case Kind::add:
      return elements(node.outputs[0]);
    case Kind::multibox_loss:  // exponent, sum and maximum of every logit
      return 3 * elements(in(1));
    case Kind::multibox_loss_grad:
      return 3 * elements(in(2));
    case Kind::running_statistics:
      return 6 * elements(in(0));
    case Kind::update:
      return static_cast<double>(node.as<UpdateAttributes>().rule.instructions.size()) * elements(in(0));
    case Kind::squared_norm: {
      double sum = 0;
      for (const Value input : node.inputs) sum += 2 * elements(graph.type(input));
      return sum;
    }
    case Kind::all_reduce: {
      double sum = 0;
      for (const TensorType& type : node.outputs) sum += elements(type);
      return sum;
    }
  }
  return 0;
}

}  // namespace

Cost cost(const Graph& graph, int id) {
  const Node& node = graph.nodes()[id];
  Cost result;
  if (node.kind == Kind::input || node.kind == Kind::parameter) return result;
  result.flops = flops(graph, node);
  for (const Value input : node.inputs) result.bytes += bytes(graph.type(input));
  for (const TensorType& output : node.outputs) result.bytes += bytes(output);
  return result;
}

Cost cost(const Graph& graph) {
  Cost sum;
  for (int id = 0; id < static_cast<int>(graph.nodes().size()); ++id) sum += cost(graph, id);
  return sum;
}

}  // namespace ssd::graph
