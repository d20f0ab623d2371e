// What a backend offers: devices that compile graphs, and the programs they make.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/tensor.h"
#include "base/trace.h"
#include "graph/cost.h"
#include "graph/graph.h"

namespace ssd::graph {

// What a node took in all steps that a program has done.
struct NodeTime {
  std::string name;
  Kind kind = Kind::input;
  std::string method;  // how it is computed, where the device has several ways: "Winograd"; else empty
  Cost cost;           // of one step
  int steps = 0;
  double seconds = 0;  // of all steps together
};

// Graphs compiled for a device, and the parameters they share.
//
// A step is started with its inputs and finished later; a device may have several in flight. With r replicas
// a sharded input holds r times the graph's dimension 0, as do sharded outputs.
class Program {
 public:
  virtual ~Program() = default;

  // Sets the parameters by name; every parameter of the graphs must be there, in its type. Others are
  // ignored.
  virtual void load(const TensorMap& parameters) = 0;
  // Waits for the steps in flight and copies all parameters to the host (with several replicas, replica 0's).
  virtual TensorMap save() = 0;

  // Starts a step of graph number `graph` with inputs in the order of Graph::inputs(). The elements must stay
  // valid and unchanged until the step is finished.
  virtual void start(int graph, const std::vector<TensorView>& inputs) = 0;
  // Waits for the oldest step in flight; its outputs in the order of Graph::outputs().
  virtual std::vector<Tensor> finish() = 0;
  // The same without the outputs, which a device with memory of its own then need not copy to the host.
  virtual void discard() { finish(); }
  // How many steps may be in flight to keep the device busy (1 where start() does the work itself).
  virtual int depth() const = 0;

  // Each node that the device computes by itself, in the graphs' order; a sum that is fused into another node
  // counts there. Empty where the device cannot see inside a step.
  virtual std::vector<NodeTime> profile() const { return {}; }
  // From the next step on, what a step does and when goes to `trace`, which outlives this or its replacement;
  // null: nowhere, as at first. Devices that cannot see inside a step add nothing.
  virtual void record(Trace* /*trace*/) {}

  std::vector<Tensor> run(const std::vector<TensorView>& inputs) {
    start(0, inputs);
    return finish();
  }
};

class Device {
 public:
  virtual ~Device() = default;

  virtual std::string name() const = 0;         // "cpu", "cuda", "tpu"
  virtual std::string description() const = 0;  // for people: model, threads, memory
  // Copies of a graph that run in step, one a local device.
  virtual int replicas() const = 0;
  // Processes whose devices run such copies in step with these. A graph is of replicas() of them, or of all
  // processes' together; its inputs and outputs are this process's own in either case.
  virtual int processes() const { return 1; }
  int replicas_in_all() const { return replicas() * processes(); }
  // Throws Error when the device cannot compute in `compute` (f32, bf16).
  virtual void require(DType compute) const = 0;
  virtual std::unique_ptr<Program> compile(std::vector<Graph> graphs) = 0;
};

}  // namespace ssd::graph
