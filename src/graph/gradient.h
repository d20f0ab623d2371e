// Reverse-mode differentiation: appends the gradient nodes of a scalar to its graph.
#pragma once

#include <vector>

#include "graph/graph.h"

namespace ssd::graph {

// The gradients of `loss` (a scalar) with respect to `parameters`, multiplied by the scalar `seed`. A
// parameter that the loss does not depend on is an Error, as is a path through a node kind that has no
// gradient (those of inference, of updates, and gradients themselves).
std::vector<Value> gradients(Graph& graph, Value loss, Value seed, const std::vector<Value>& parameters);

}  // namespace ssd::graph
