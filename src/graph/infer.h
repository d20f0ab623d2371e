// Shape inference: the types of a node's outputs.
#pragma once

#include <vector>

#include "graph/graph.h"

namespace ssd::graph {

// The output types of a node of `kind` with inputs of these types. Throws Error naming `name`, the kind and
// what does not fit. Not for input and parameter, whose types are given.
std::vector<TensorType> infer(Kind kind, const std::string& name, const Attributes& attributes,
                              const std::vector<TensorType>& inputs);

}  // namespace ssd::graph
