// A device for tests of the training loop: it takes steps without computing, and keeps its parameters.
#pragma once

#include <deque>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "graph/device.h"

namespace ssd {

// What tests may set, and what they may look at afterwards.
struct FakeDeviceState {
  int depth = 3;
  // The output "loss" of the step with this number, counted from 0 over all programs' steps.
  std::function<float(int step)> loss = [](int) { return 1.0f; };
  // The other outputs of one number; zero where nothing is set.
  std::function<float(const std::string& output, int step)> number;
  // Called when a step is started, with its graph and inputs.
  std::function<void(int graph, const std::vector<TensorView>& inputs)> started;

  int steps = 0;           // started
  int in_flight = 0;       // now
  int most_in_flight = 0;  // ever
  int saves = 0;           // of parameters
};

// Outputs are zero but for those that the state gives; parameters stay as they were loaded.
class FakeProgram : public graph::Program {
 public:
  FakeProgram(std::vector<graph::Graph> graphs, FakeDeviceState& state)
      : graphs_(std::move(graphs)), state_(state) {}

  void load(const TensorMap& parameters) override { parameters_ = clone(parameters); }
  TensorMap save() override {
    ++state_.saves;
    return clone(parameters_);
  }
  void start(int graph, const std::vector<TensorView>& inputs) override {
    if (state_.started) state_.started(graph, inputs);
    steps_.emplace_back(graph, state_.steps++);
    state_.most_in_flight = std::max(state_.most_in_flight, ++state_.in_flight);
  }
  std::vector<Tensor> finish() override {
    const auto [graph, step] = steps_.front();
    steps_.pop_front();
    --state_.in_flight;
    std::vector<Tensor> outputs;
    for (const graph::Output& output : graphs_[graph].outputs()) {
      const graph::TensorType& type = graphs_[graph].type(output.value);
      outputs.emplace_back(type.dtype, type.shape);
      if (output.name == "loss")
        outputs.back().as<float>()[0] = state_.loss(step);
      else if (state_.number && type == graph::TensorType{})
        outputs.back().as<float>()[0] = state_.number(output.name, step);
    }
    return outputs;
  }
  int depth() const override { return state_.depth; }

 private:
  std::vector<graph::Graph> graphs_;
  FakeDeviceState& state_;
  TensorMap parameters_;
  std::deque<std::pair<int, int>> steps_;  // graph and number
};

class FakeDevice : public graph::Device {
 public:
  std::string name() const override { return "fake"; }
  std::string description() const override { return "fake"; }
  int replicas() const override { return 1; }
  void require(DType) const override {}
  std::unique_ptr<graph::Program> compile(std::vector<graph::Graph> graphs) override {
    return std::make_unique<FakeProgram>(std::move(graphs), state);
  }

  FakeDeviceState state;
};

}  // namespace ssd
