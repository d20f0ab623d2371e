// One scheduled node of a graph and the code that runs it.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

#include "backend/cpu/layout.h"
#include "base/communicator.h"
#include "graph/graph.h"

namespace ssd::cpu {

// A node with what scheduling made of it: inputs may differ from the node's where another node was fused.
struct Task {
  int id = -1;  // of the node
  const graph::Node* node = nullptr;
  std::vector<graph::Value> inputs;
  std::vector<graph::Value> unresolved_inputs;  // the same, where a mean over processes is not yet what it is of
  std::vector<Layout> input_layouts;
  std::vector<Layout> output_layouts;
  bool summed_gradient = false;  // batch_norm_grad: dy is the sum of inputs 0 and 6
  bool constant_weight = false;  // convolutions: the weight changes only when parameters are loaded

  const Layout& in(std::size_t i) const { return input_layouts[i]; }
  const Layout& out(std::size_t i) const { return output_layouts[i]; }
};

// Where a task's tensors lie, in their layouts.
struct Operands {
  std::vector<const std::byte*> inputs;
  std::vector<std::byte*> outputs;
  std::byte* scratch = nullptr;  // Executor::scratch_bytes() of them, of undefined content

  template <typename T>
  const T* in(std::size_t i) const {
    return reinterpret_cast<const T*>(inputs[i]);
  }
  template <typename T>
  T* out(std::size_t i) const {
    return reinterpret_cast<T*>(outputs[i]);
  }
};

class Executor {
 public:
  virtual ~Executor() = default;

  virtual std::size_t scratch_bytes() const { return 0; }
  // Whether `output` may be made in the memory of `input` (of the same size).
  virtual bool in_place(std::size_t /*output*/, std::size_t /*input*/) const { return false; }
  // In a word, where a kind can be computed in several ways: "Winograd".
  virtual std::string_view method() const { return {}; }
  // Constant weights were loaded: what was derived from them is stale.
  virtual void reload() {}
  virtual void run(const Operands& operands) = 0;
};

// The executor of any task but those of kinds input, parameter and all_reduce, which need none. Statistics are
// shared with processes of the communicator, which outlives it.
std::unique_ptr<Executor> make_executor(const Task& task, Communicator& communicator);

}  // namespace ssd::cpu
