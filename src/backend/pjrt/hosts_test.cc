// Several processes with devices, played by threads, on a plugin that joins them (testing/hosts_plugin.cc).
#include "backend/pjrt/hosts.h"

#include <unistd.h>

#include <filesystem>
#include <mutex>

#include "backend/pjrt/compile_options.h"
#include "backend/stablehlo/lower.h"
#include "base/error.h"
#include "testing/cpu_plugin.h"
#include "testing/message_of.h"
#include "testing/small_ssd.h"
#include "testing/thread_communicator.h"

namespace ssd::pjrt {
namespace {

namespace fs = std::filesystem;

#define SSD_NEEDS_HOSTS_PLUGIN() \
  SSD_NEEDS_CPU_PLUGIN();        \
  if (!fs::exists(SSD_HOSTS_PLUGIN)) GTEST_SKIP() << "built without the PJRT header: run scripts/setup"

void expect_in(const std::string& part, const std::string& message) {
  EXPECT_NE(message.find(part), std::string::npos) << message;
}

// Two processes with two replicas each.
constexpr int processes = 2, own = 2, replicas = processes * own;

std::unique_ptr<graph::Device> joined_device(Communicator& communicator, KeyValues& values,
                                             const std::string& cache = "") {
  return make_device({.device = std::string("pjrt:") + SSD_HOSTS_PLUGIN,
                      .cpu_devices = own,
                      .cache_folder = cache,
                      .lower_for = stablehlo::Target::tpu,
                      .communicator = &communicator,
                      .values = &values});
}

// Inputs of some replicas, joined.
std::vector<Tensor> inputs_of_replicas(const graph::Graph& step, const std::vector<graph::Feeds>& feeds,
                                       std::size_t first, std::size_t count) {
  graph::Feeds joined = feeds[first];
  for (const int number : step.inputs()) {
    const graph::Node& node = step.nodes()[number];
    if (!node.as<graph::InputAttributes>().sharded) continue;
    graph::Array& array = joined[node.name];
    array.shape[0] *= static_cast<std::int64_t>(count);
    for (std::size_t r = 1; r < count; ++r) {
      const auto& more = feeds[first + r].at(node.name).values;
      array.values.insert(array.values.end(), more.begin(), more.end());
    }
  }
  return inputs_of(step, joined);
}

class Hosts : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(BatchNormGroups, Hosts, testing::Values(2, 4));

// Groups of a process's replicas and of all, against the interpreter.
TEST_P(Hosts, TrainWithTheMeanGradientOfAllReplicas) {
  SSD_NEEDS_HOSTS_PLUGIN();
  const SmallSsd small(replicas, GetParam());
  std::vector<std::vector<graph::Feeds>> steps(2);
  std::vector<std::vector<graph::Interpretation>> expected;
  std::vector<graph::Feeds> state(replicas, small.state);
  for (std::size_t s = 0; s < steps.size(); ++s) {
    std::vector<graph::Feeds> with_state;
    for (std::size_t r = 0; r < replicas; ++r) {
      steps[s].push_back(small.feeds(100 * s + 10 * r + 1));
      with_state.push_back(steps[s].back());
      with_state.back().insert(state[r].begin(), state[r].end());
    }
    expected.push_back(graph::interpret_replicas(small.step, with_state));
    for (std::size_t r = 0; r < replicas; ++r)
      for (const auto& [name, array] : expected.back()[r].updates) state[r][name] = array;
  }
  LocalKeyValues values;
  std::mutex checks;
  ThreadGroup(processes).run([&](Communicator& communicator) {
    const auto device = joined_device(communicator, values);
    const auto rank = static_cast<std::size_t>(communicator.rank());
    const auto program = device->compile({graph::Graph(small.step)});
    program->load(parameters_of(small.step, small.state));
    std::vector<std::vector<Tensor>> inputs, outputs;
    for (const auto& feeds : steps) inputs.push_back(inputs_of_replicas(small.step, feeds, rank * own, own));
    for (const auto& of_step : inputs) program->start(0, views_of(of_step));  // both in flight
    for (std::size_t s = 0; s < steps.size(); ++s) outputs.push_back(program->finish());
    const TensorMap saved = program->save();
    const std::lock_guard lock(checks);
    EXPECT_EQ(device->processes(), processes);
    EXPECT_EQ(device->replicas(), own);
    for (std::size_t s = 0; s < steps.size(); ++s) {
      ASSERT_EQ(outputs[s][1].shape(), Shape({own * SmallSsd::images}));
      for (std::size_t i = 0; i < own * SmallSsd::images; ++i) {
        const graph::Interpretation& of_replica = expected[s][rank * own + i / SmallSsd::images];
        const double want = of_replica.outputs.at("conf_loss").values[i % SmallSsd::images];
        EXPECT_NEAR(static_cast<double>(outputs[s][1].as<float>()[i]), want, 1e-3 * (1 + want)) << rank << i;
      }
    }
    // Weights are everyone's, statistics of the process's first replica.
    for (const auto& [name, array] : expected[1][rank * own].updates)
      expect_near(saved.at(name), array, 1e-3, name);
  });
}

// Sums and shared statistics are over replicas of all processes; so are the devices that the compiler is
// told.
TEST(Hosts, HaveAProgramOfAllReplicas) {
  const std::string text = stablehlo::lower(SmallSsd(replicas, own).step);
  expect_in("mhlo.num_replicas = 4 : i32", text);
  expect_in("dense<[[0, 1, 2, 3]]> : tensor<1x4xi64>", text);
  expect_in("dense<[[0, 1], [2, 3]]> : tensor<2x2xi64>", text);
  expect_in(std::string("\x04\x06\x07\x00\x01", 5), compile_options({6, 7, 0, 1}));
}

TEST(Hosts, OneRunsAProgramOfItsOwnWhileTheOthersDoNot) {
  SSD_NEEDS_HOSTS_PLUGIN();
  graph::Graph graph;
  const graph::Value x = graph.input("x", {DType::f32, {3}});
  graph.output("y", {graph.append(graph::Kind::add, "sum", {x, x})}, true);
  LocalKeyValues values;
  ThreadGroup(processes).run([&](Communicator& communicator) {
    const auto device = joined_device(communicator, values);
    if (communicator.is_first()) return;
    const auto program = device->compile({graph});
    program->load({});
    const Tensor input = to_tensor(graph::Array({6}, {1, 2, 3, 4, 5, 6}), DType::f32);
    EXPECT_EQ(program->run({input})[0].as<float>()[5], 12.0f);
  });
}

TEST(Hosts, CompileTogetherWhereOneHasTheProgramInItsCacheAndTheOtherDoesNot) {
  SSD_NEEDS_HOSTS_PLUGIN();
  graph::Graph graph;
  graph.replicas = replicas;
  const graph::Value x = graph.input("x", {DType::f32, {1}});
  graph.output("mean", {graph.append(graph::Kind::all_reduce, "mean", {x})}, false);
  const fs::path folder = testing::TempDir() + "singleshot-hosts-test-" + std::to_string(::getpid());
  fs::remove_all(folder);
  for (const char* second : {"of rank 0", "of rank 1", "of rank 1"}) {
    LocalKeyValues values;
    ThreadGroup(processes).run([&](Communicator& communicator) {
      const auto device =
          joined_device(communicator, values, folder / (communicator.is_first() ? "of rank 0" : second));
      const auto program = device->compile({graph});
      program->load({});
      const double first = 10 * communicator.rank();
      const Tensor input = to_tensor(graph::Array({own}, {first, first + 1}), DType::f32);
      EXPECT_EQ(program->run({input})[0].as<float>()[0], 5.5f);
    });
    EXPECT_FALSE(fs::is_empty(folder / second));
  }
  fs::remove_all(folder);
}

TEST(Hosts, AProcessThatDoesNotComeIsAnErrorWithThePluginsWords) {
  SSD_NEEDS_HOSTS_PLUGIN();
  LocalKeyValues values;
  const CreateOptions options{
      {"node_id", std::int64_t{0}}, {"num_nodes", std::int64_t{2}}, {"timeout_ms", std::int64_t{50}}};
  const std::string message =
      message_of([&] { Client::create(Plugin::load(SSD_HOSTS_PLUGIN), options, &values); });
  expect_in("PJRT_Client_Create: DEADLINE_EXCEEDED: no process has put 'devices of 1' within 50 ms", message);
}

TEST(Hosts, OfAPluginThatJoinsNoneAreRefused) {
  SSD_NEEDS_CPU_PLUGIN();
  LocalKeyValues values;
  for (const char* name :
       {"lammps_jax_pjrt_cpu/pjrt_c_api_cpu_plugin.so", "xla_plugins/xla_cpu_pjrt/xla_cpu_pjrt.so"}) {
    const fs::path plugin = fs::path(SSD_SOURCE_DIR) / ".deps/pjrt" / name;
    if (!fs::exists(plugin)) continue;
    ThreadGroup(processes).run([&](Communicator& communicator) {
      const std::string message = message_of([&] {
        make_device({.device = "pjrt:" + plugin.string(), .communicator = &communicator, .values = &values});
      });
      EXPECT_TRUE(message.starts_with("--device pjrt:" + plugin.string())) << message;
      expect_in("got 2 processes", message);
    });
  }
}

TEST(Hosts, OfOneMachineMustHaveTheirOwnGpus) {
  ThreadGroup(processes).run([&](Communicator& communicator) {
    const std::string message =
        message_of([&] { joining_options(communicator, "cuda", "/x/xla_cuda_plugin.so"); });
    expect_in("--device cuda: ranks 0 and 1 would take the same GPUs", message);
    // A TPU's runtime joins by its environment.
    EXPECT_TRUE(joining_options(communicator, "tpu", "/x/libtpu.so").empty());
    EXPECT_TRUE(joining_options(communicator, "pjrt:/x/libtpu.so", "/x/libtpu.so").empty());
    const CreateOptions options = joining_options(communicator, "pjrt:/x/y.so", "/x/y.so");
    EXPECT_EQ(std::get<std::int64_t>(options.at("node_id")), communicator.rank());
    EXPECT_EQ(std::get<std::int64_t>(options.at("num_nodes")), 2);
  });
}

TEST(Host, IsTheSameAfterItsText) {
  const Host host{
      .process = 3, .processes = 4, .replicas = {2049, 2048}, .runs_on = "TPU v5 lite\nbuilt today"};
  EXPECT_EQ(parse_host(to_text(host)), host);
  EXPECT_THROW(parse_host("1 2 3 4"), Error);
  EXPECT_THROW(parse_host("1 2 3 4\nTPU"), Error);
}

TEST(Host, ReplicasAreInTheOrderOfRanksWhateverThePluginCalls0) {
  const std::vector<Host> hosts{{1, 2, {6, 7}, "x"}, {0, 2, {0, 1}, "x"}};
  EXPECT_EQ(replicas_of(hosts, "tpu"), (std::vector<std::int64_t>{6, 7, 0, 1}));
}

TEST(Host, ReplicasThatDoNotFitTogetherAreErrorsThatNameTheRank) {
  const auto message = [](const std::vector<Host>& hosts) {
    return message_of([&] { replicas_of(hosts, "tpu (tpu, libtpu.so)"); });
  };
  expect_in("--device tpu (tpu, libtpu.so): got 2 processes, but its plugin reports devices of 1",
            message({{0, 1, {0}, "x"}, {0, 1, {0}, "x"}}));
  expect_in("--replicas: rank 1 has 1 replicas, rank 0 has 2 replicas",
            message({{0, 2, {0, 1}, "x"}, {1, 2, {2}, "x"}}));
  expect_in("rank 1 runs on y, rank 0 on x", message({{0, 2, {0}, "x"}, {1, 2, {1}, "y"}}));
  expect_in("rank 1 has devices of another rank (process 1, devices 0)",
            message({{0, 2, {0}, "x"}, {1, 2, {0}, "x"}}));
  expect_in("rank 1 has devices of another rank", message({{1, 2, {0}, "x"}, {1, 2, {1}, "x"}}));
}

}  // namespace
}  // namespace ssd::pjrt
