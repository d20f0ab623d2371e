// Values of 16 bits: which of a graph's activations are held in bf16.
#pragma once

#include <vector>

#include "graph/graph.h"

namespace ssd::cpu {

struct Task;

// Held in bf16, with the channels last, are activations that are bf16 in the graph, and those in f32 that
// nothing reads but convolutions which round them to bf16. What else such convolutions make is f32 with the
// channels last.
class Bf16Values {
 public:
  explicit Bf16Values(const graph::Graph& graph);

  bool held(graph::Value value) const { return held_[value.node][value.output]; }
  bool channels_last(graph::Value value) const {
    return held(value) || channels_last_[value.node][value.output];
  }

 private:
  std::vector<std::vector<bool>> held_, channels_last_;  // [node][output]
};

// Throws Error where a task takes values in bf16 that its kind has no code for, or others where it needs
// bf16.
void check_bf16(const Task& task);

}  // namespace ssd::cpu
