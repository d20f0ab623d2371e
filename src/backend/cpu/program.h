// Compiled graphs and the parameters they share.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "backend/cpu/exchange.h"
#include "backend/cpu/placement.h"
#include "backend/cpu/step_trace.h"
#include "graph/device.h"

namespace ssd::cpu {

// Throws Error where this processor cannot compute in `compute` at a gain.
void require(DType compute);

class CpuProgram final : public graph::Program {
 public:
  struct Options {
    int threads = 1;
    std::int64_t block = 8;                           // B of the blocked layouts: 8 or 16
    Communicator* communicator = nullptr;             // outlives the program; null: this process is alone
    std::size_t bucket_bytes = std::size_t{4} << 20;  // of sums over processes (exchange.h)
  };
  // Throws Error when a graph asks for what this device cannot do, or when graphs disagree about a parameter.
  CpuProgram(std::vector<graph::Graph> graphs, const Options& options);

  void load(const TensorMap& parameters) override;
  TensorMap save() override;
  void start(int graph, const std::vector<TensorView>& inputs) override;
  std::vector<Tensor> finish() override;
  int depth() const override { return 1; }

  std::vector<graph::NodeTime> profile() const override;
  void record(Trace* trace) override;

 private:
  struct Parameter {
    Layout layout;
    Tensor memory;
  };
  struct Compiled {
    graph::Graph graph;
    Schedule schedule;
    std::vector<std::unique_ptr<Executor>> executors;  // as many as tasks
    Placement placement;
    std::unique_ptr<Exchange> exchange;  // of a graph of all processes; null: of one alone
    std::vector<Operands> operands;      // of each task
    std::vector<graph::NodeTime> times;  // of each task
  };

  void add_parameters(const Compiled& compiled);
  void bind(Compiled& compiled);
  std::byte* address(const Compiled& compiled, graph::Value value);
  void feed(const Compiled& compiled, const std::vector<TensorView>& inputs);
  void execute(Compiled& compiled, StepTrace& trace);
  void update(const Compiled& compiled);
  std::vector<Tensor> outputs_of(const Compiled& compiled);

  int threads_;
  std::vector<std::unique_ptr<Compiled>> graphs_;
  std::map<std::string, Parameter> parameters_;
  Tensor arena_;
  std::deque<std::vector<Tensor>> finished_;
  Trace* trace_ = nullptr;
};

}  // namespace ssd::cpu
