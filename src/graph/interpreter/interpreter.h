// A second implementation of every node kind: plain loops in float64. Tests hold the gradient rules, the CPU
// backend and the XLA lowering against it; it is not part of the program.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/tensor.h"
#include "graph/graph.h"

namespace ssd::graph {

// A tensor of any element type with its values in float64, row-major.
struct Array {
  Shape shape;
  std::vector<double> values;

  Array() = default;
  explicit Array(Shape s) : shape(std::move(s)), values(static_cast<std::size_t>(shape.elements())) {}
  Array(Shape s, std::vector<double> v) : shape(std::move(s)), values(std::move(v)) {}
};

Array to_array(const TensorView& view);  // of f64, f32, f16, bf16, u8, i32 or i64
Tensor to_tensor(const Array& array, DType dtype);

// Inputs and parameters by name.
using Feeds = std::map<std::string, Array>;

struct Interpretation {
  std::map<std::string, Array> outputs;  // Graph::outputs() by name
  std::map<std::string, Array> updates;  // parameters after the step, by name
};

// One step of one replica.
Interpretation interpret(const Graph& graph, const Feeds& feeds);

// One step of several replicas in lockstep: all_reduce averages over them, and batch norms of group g share
// their statistics among g consecutive ones. As many results as feeds.
std::vector<Interpretation> interpret_replicas(const Graph& graph, const std::vector<Feeds>& feeds);

}  // namespace ssd::graph
