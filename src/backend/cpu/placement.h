// Where every value of a scheduled graph lies: in a parameter's own memory or in the arena.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "backend/cpu/arena.h"
#include "backend/cpu/schedule.h"

namespace ssd::cpu {

// `parameter` >= 0: in the memory of that parameter node. Otherwise part `slot` of the arena.
struct Place {
  int parameter = -1;
  int slot = -1;
};

struct Placement {
  std::vector<std::vector<Place>> places;  // [node][output], of resolved values
  std::vector<int> scratch;                // slot of each task's scratch; -1: it needs none
  std::vector<Lifetime> slots;             // in steps: 0 is before the first task, t + 1 is task t
  std::vector<graph::Update> copies;       // updates that were not made in the parameter's memory
  ArenaPlan arena;                         // of the slots
};

// Updates are made in the parameter's own memory, and outputs in that of an input that dies, where the
// executors allow it and nobody reads the old value later.
Placement place(const graph::Graph& graph, const Schedule& schedule,
                const std::vector<std::unique_ptr<Executor>>& executors);

}  // namespace ssd::cpu
