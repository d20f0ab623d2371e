// What a node costs: arithmetic and memory traffic, for roofline estimates and benchmark reports.
#pragma once

#include "graph/graph.h"

namespace ssd::graph {

struct Cost {
  double flops = 0;  // floating-point operations, a multiply-add being two
  double bytes = 0;  // inputs read once and outputs written once

  Cost& operator+=(const Cost& other) {
    flops += other.flops;
    bytes += other.bytes;
    return *this;
  }
};

Cost cost(const Graph& graph, int node);
Cost cost(const Graph& graph);  // the sum over all nodes

}  // namespace ssd::graph
