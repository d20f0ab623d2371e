// From a graph to the text of a StableHLO program.
#pragma once

#include <set>
#include <string>

#include "base/tensor.h"
#include "graph/graph.h"

namespace ssd::stablehlo {

struct LowerOptions {
  // A convolution of bf16 operands may be asked for its f32 sums. TPUs make them at no cost; cuDNN has no
  // such kernel and XLA would widen the operands, so for GPUs the result is bf16, converted afterwards.
  bool mixed_convolutions = true;
  // Batch norm after a widening 1x1 convolution is computed from the convolution's input (pointwise.h). GPUs
  // do not put what follows a convolution into its pass, so there it would only add work.
  bool pointwise_moments = true;
  // Max pooling's gradient as select_and_scatter, which TPUs have. XLA makes of it for GPUs an index of four
  // i32 a cell and atomic additions; there it is written as a sum over the window's cells.
  bool scatter_to_maxima = true;
  // Batch norm's gradient finds where its ReLU let through in the result, or else by computing that again
  // from the input, which it reads anyway, where no residual came between.
  bool relu_from_result = true;
  // Parameters, f32 in the graph, that the program takes in bf16: weights of fused convolutions only.
  std::set<std::string> narrow = {};
  // Where given, the values of all parameters: they are part of the text, and the program takes inputs alone.
  // For graphs that update none. They outlive the call.
  const TensorMap* values = nullptr;
};

// What suits a kind of device.
enum class Target { tpu, gpu };
LowerOptions options_for(Target target);

// One module with one function `main`. Its arguments are the graph's inputs, then its parameters, in their
// order; its results the graph's outputs, then its updates. An updated parameter is donated: its buffer
// becomes the result's. Every operation carries its node's name as location. With several replicas the
// program is one replica's, and all_reduce spans Graph::replicas. Throws Error for tensor types that devices
// do not hold (f64, f16, i64) and for batch-norm groups that do not divide the replicas.
std::string lower(const graph::Graph& graph, const LowerOptions& options = {});

}  // namespace ssd::stablehlo
