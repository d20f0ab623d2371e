// Graphs compiled for a client's devices, and their parameters there.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "backend/pjrt/pjrt.h"
#include "graph/device.h"

namespace ssd::pjrt {

struct ProgramSource {
  std::shared_ptr<Client> client;
  int replicas = 1;  // of this process
  int depth = 1;
  std::vector<graph::Graph> graphs;
  std::vector<std::unique_ptr<Executable>> executables;  // one a graph, lowered as lower.h says
  std::set<std::string> narrow;  // parameters that the executables take in bf16, the graphs in f32
};

// Throws Error when graphs give one parameter different types.
std::unique_ptr<graph::Program> make_program(ProgramSource source);

}  // namespace ssd::pjrt
