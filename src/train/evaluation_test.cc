// Steps in flight when an evaluation or a benchmark ends early: their images outlive them.
#include "train/evaluation.h"

#include <gtest/gtest.h>

#include <deque>
#include <numeric>

#include "base/error.h"
#include "data/dataset.h"
#include "graph/device.h"
#include "model/state.h"
#include "train/benchmark.h"

namespace ssd {
namespace {

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

const model::ModelOptions small{.backbone = model::Backbone::resnet18, .classes = 4};

Dataset samples() { return open_dataset(std::string(SSD_SOURCE_DIR) + "/samples/blood-cells", "val2017"); }

TEST(DetectSet, WaitsForTheStepsInFlightWhenItIsStopped) {
  LateDevice device;
  Predictor predictor(device, small, {.batch = 2});
  const Dataset dataset = samples();
  EXPECT_THROW(detect_set(predictor, dataset, {.stop = [] { return true; }}), Error);
  EXPECT_EQ(device.in_flight, 0);
}

TEST(DetectSet, WaitsForTheStepsInFlightWhenAStepOrAnImageFails) {
  const Dataset dataset = samples();
  LateDevice failing(1);
  Predictor predictor(failing, small, {.batch = 2});
  EXPECT_THROW(detect_set(predictor, dataset, {}), Error);
  EXPECT_EQ(failing.in_flight, 0);

  Dataset broken = dataset;
  broken.samples[3].file = "/no/such/image.jpg";
  LateDevice device;
  Predictor other(device, small, {.batch = 2});
  EXPECT_THROW(detect_set(other, broken, {.bad_images = LoaderOptions::BadImages::fail}), Error);
  EXPECT_EQ(device.in_flight, 0);
}

TEST(Benchmark, KeepsItsBatchUntilAllStepsOfAFailedRunAreOver) {
  LateDevice device(2);
  EXPECT_THROW(benchmark(device, {.mode = BenchmarkMode::infer, .model = small, .batch = 2}), Error);
  EXPECT_EQ(device.in_flight, 0);
}

}  // namespace
}  // namespace ssd
