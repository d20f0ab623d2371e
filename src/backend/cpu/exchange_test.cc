// Processes, played by threads, that step together: against the interpreter, which has all replicas in one place.
#include "backend/cpu/exchange.h"

#include <gtest/gtest.h>

#include <cstring>
#include <mutex>

#include "backend/cpu/program.h"
#include "base/error.h"
#include "testing/cpu_programs.h"
#include "testing/small_ssd.h"
#include "testing/thread_communicator.h"

namespace ssd::cpu {
namespace {

using graph::Kind;
using graph::Value;

constexpr int processes = 4;

// Every process's inputs, state before and parameters after one step.
struct Together {
  explicit Together(int group, std::size_t bucket_bytes = 1024) : small(processes, group) {
    for (int rank = 0; rank < processes; ++rank) {
      feeds.push_back(small.feeds(static_cast<std::uint64_t>(100 * rank + 1)));
      feeds.back().insert(small.state.begin(), small.state.end());
    }
    parameters.resize(processes);
    outputs.resize(processes);
    ThreadGroup(processes).run([&](Communicator& communicator) {
      const auto rank = static_cast<std::size_t>(communicator.rank());
      CpuProgram program = make(communicator, bucket_bytes);
      TensorMap state;
      for (const int id : small.step.parameters()) {
        const graph::Node& node = small.step.nodes()[id];
        state.emplace(node.name, graph::to_tensor(small.state.at(node.name), node.outputs[0].dtype));
      }
      program.load(state);
      std::vector<Tensor> inputs;
      for (const int id : small.step.inputs()) {
        const graph::Node& node = small.step.nodes()[id];
        inputs.push_back(graph::to_tensor(feeds[rank].at(node.name), node.outputs[0].dtype));
      }
      program.start(0, {inputs.begin(), inputs.end()});
      outputs[rank] = program.finish();
      parameters[rank] = program.save();
    });
  }

  CpuProgram make(Communicator& communicator, std::size_t bucket_bytes) const {
    std::vector<graph::Graph> graphs{small.step};
    return CpuProgram(std::move(graphs), {.threads = 1,
                                          .block = 8,
                                          .communicator = &communicator,
                                          .bucket_bytes = bucket_bytes});
  }

  pjrt::SmallSsd small;
  std::vector<graph::Feeds> feeds;
  std::vector<TensorMap> parameters;
  std::vector<std::vector<Tensor>> outputs;
};

class Processes : public testing::TestWithParam<int> {};  // batch-norm group

TEST_P(Processes, StepAsTheInterpretersReplicas) {
  const Together together(GetParam());
  const auto expected = graph::interpret_replicas(together.small.step, together.feeds);
  for (std::size_t rank = 0; rank < processes; ++rank) {
    expect_near(expected[rank].outputs.at("loss"), together.outputs[rank][0], 1e-5, "loss");
    for (const auto& [name, array] : expected[rank].updates)
      expect_near(array, together.parameters[rank].at(name), 2e-4, name);
  }
}

TEST_P(Processes, HaveTheSameWeightsToTheLastBit) {
  const Together together(GetParam()), in_one_bucket(GetParam(), std::size_t{1} << 30);
  for (const auto& [name, tensor] : together.parameters[0]) {
    if (name.ends_with(".mean") || name.ends_with(".variance")) continue;  // of each group's own images
    for (const Together* run : {&together, &in_one_bucket})
      for (std::size_t rank = 0; rank < processes; ++rank)
        EXPECT_EQ(std::memcmp(tensor.data(), run->parameters[rank].at(name).data(), tensor.bytes()), 0)
            << name << " of rank " << rank;
  }
}

INSTANTIATE_TEST_SUITE_P(Groups, Processes, testing::Values(1, 2, 4));

// Sums in the order of their start; says how many had been started when each was waited for.
class Recorder : public SingleProcess {
 public:
  int size() const override { return 2; }
  void start_sum(std::span<float> values) override { started.push_back(values.size()); }
  SumTimes finish_sum() override {
    started_at_finish.push_back(started.size());
    return {};
  }

  std::vector<std::size_t> started, started_at_finish;
};

// A chain of three tasks of which the first two's outputs are averaged, and one that needs the first mean.
struct Chain {
  explicit Chain(bool reads_late = false) {
    const Value a = trial.f32("a", {8}), b = trial.f32("b", {8});
    const Value first{trial.graph.append(Kind::add, "first", {a, b})};
    const Value second{trial.graph.append(Kind::add, "second", {first, b})};
    const int means = trial.graph.append(Kind::all_reduce, "means", {first, second});
    const Value third{trial.graph.append(Kind::add, "third", {{means, 0}, b})};
    trial.graph.output("third", third, false);
    trial.graph.output("mean", {means, 1}, false);
    if (reads_late) trial.graph.output("late", {trial.graph.append(Kind::add, "late", {first, third})}, false);
    trial.graph.replicas = 2;
    trial.fill();
  }
  Trial trial;
};

TEST(Exchange, StartsASumOnceItsValuesWereReadAndWaitsWhereItsMeanIs) {
  Chain chain;
  Recorder recorder;
  const Schedule schedule = cpu::schedule(chain.trial.graph, 8, {});
  Exchange exchange(chain.trial.graph, schedule, recorder, 1);
  ASSERT_EQ(schedule.tasks.size(), 3u);
  ASSERT_EQ(exchange.buckets(), 2u);
  std::vector<float> memory(64, 1.0F);  // layouts may be padded
  exchange.bind([&](Value) { return reinterpret_cast<std::byte*>(memory.data()); });
  std::vector<std::size_t> started;
  for (std::size_t t = 0; t < 3; ++t) {
    exchange.before_task(t);
    exchange.after_task(t);
    started.push_back(recorder.started.size());
  }
  // The second task reads the first's output, and makes its own: both sums start after it.
  EXPECT_EQ(started, (std::vector<std::size_t>{0, 2, 2}));
  EXPECT_EQ(recorder.started_at_finish, std::vector<std::size_t>{2}) << "the third task needs the first mean";
  exchange.after_all();
  EXPECT_EQ(recorder.started_at_finish.size(), 2u);
}

TEST(Exchange, RefusesAGraphThatNeedsAValueAfterItsMean) {
  Chain chain(true);
  Recorder recorder;
  const Schedule schedule = cpu::schedule(chain.trial.graph, 8, {});
  EXPECT_THROW(Exchange(chain.trial.graph, schedule, recorder, 1), Error);
}

TEST(CpuProgram, RefusesAGraphOfOtherReplicasThanProcesses) {
  std::vector<graph::Graph> graphs{pjrt::SmallSsd(2).step};
  EXPECT_THROW(CpuProgram(std::move(graphs), {}), Error);
}

}  // namespace
}  // namespace ssd::cpu
