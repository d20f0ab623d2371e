// A device for tests of what keeps steps in flight: it computes nothing and looks at its inputs late.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "graph/device.h"

namespace ssd {

// A device that computes nothing and reads its inputs as late as it may: when a step is finished, or at its
// own end.
class LateProgram : public graph::Program {
 public:
  LateProgram(graph::Graph graph, int failing, int& in_flight)
      : graph_(std::move(graph)), failing_(failing), in_flight_(in_flight) {}
  ~LateProgram() override {
    while (!steps_.empty()) read_oldest();
  }

  void load(const TensorMap&) override {}
  TensorMap save() override { return {}; }
  void start(int, const std::vector<TensorView>& inputs) override {
    steps_.push_back({inputs, sum(inputs)});
    ++in_flight_;
  }
  std::vector<Tensor> finish() override {
    read_oldest();
    if (++finished_ == failing_) throw Error("late device: this step fails");
    std::vector<Tensor> outputs;
    for (const graph::Output& output : graph_.outputs()) {
      const graph::TensorType& type = graph_.type(output.value);
      outputs.emplace_back(type.dtype, type.shape);
    }
    return outputs;
  }
  int depth() const override { return 3; }

 private:
  struct Step {
    std::vector<TensorView> inputs;
    unsigned sum;
  };
  static unsigned sum(const std::vector<TensorView>& inputs) {
    unsigned total = 0;
    for (const TensorView& view : inputs)
      for (std::size_t i = 0; i < view.bytes(); ++i) total += static_cast<unsigned>(view.data[i]);
    return total;
  }
  void read_oldest() {
    EXPECT_EQ(sum(steps_.front().inputs), steps_.front().sum) << "the inputs changed in flight";
    steps_.pop_front();
    --in_flight_;
  }

  graph::Graph graph_;
  int failing_, finished_ = 0;  // the step that fails, counted from 1
  int& in_flight_;
  std::deque<Step> steps_;
};

class LateDevice : public graph::Device {
 public:
  explicit LateDevice(int failing = 0) : failing_(failing) {}
  std::string name() const override { return "late"; }
  std::string description() const override { return "late"; }
  int replicas() const override { return 1; }
  void require(DType) const override {}
  std::unique_ptr<graph::Program> compile(std::vector<graph::Graph> graphs) override {
    return std::make_unique<LateProgram>(std::move(graphs[0]), failing_, in_flight);
  }
  int in_flight = 0;

 private:
  int failing_;
};

}  // namespace ssd
