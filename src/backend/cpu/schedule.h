// From a graph to the list of tasks that compute it.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "backend/cpu/executor.h"
#include "graph/graph.h"

namespace ssd::cpu {

struct Schedule {
  std::vector<std::vector<Layout>> layouts;  // [node][output]
  std::vector<Task> tasks;                   // in the graph's order; tasks point to its nodes

  // The value in whose memory `value` lies: what a mean over processes is of (all_reduce) is replaced by it.
  graph::Value resolve(const graph::Graph& graph, graph::Value value) const;
};

// A sum of gradients that only a batch norm's gradient reads is made there, not by a task of its own.
// `updated`: names of the parameters that steps change.
Schedule schedule(const graph::Graph& graph, std::int64_t block, const std::set<std::string>& updated);

}  // namespace ssd::cpu
