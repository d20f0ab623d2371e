// Whole steps on a CPU plugin: donation, steps in flight, replicas, errors.
#include "backend/pjrt/device.h"

#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "backend/pjrt/compile_options.h"
#include "backend/pjrt/plugins.h"
#include "backend/stablehlo/lower.h"
#include "base/error.h"
#include "testing/message_of.h"
#include "testing/small_ssd.h"

namespace ssd::pjrt {
namespace {

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t number = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++number;
  return number;
}

TEST(Step, IsOneProgramWithoutASortThatDonatesEveryUpdatedParameter) {
  const SmallSsd small(4);
  const std::string text = stablehlo::lower(small.step);
  EXPECT_EQ(count(text, "stablehlo.sort"), 0u);
  EXPECT_EQ(count(text, "\"stablehlo.all_reduce\""), 1u);
  EXPECT_EQ(count(text, "tf.aliasing_output"), small.step.updates().size());
  EXPECT_EQ(count(text, "func.func"), 1u);
  EXPECT_EQ(count(text, "dense<[[0, 1, 2, 3]]>"), 1u);
}

// How many operations of a kind there are; each must have two operands of bf16.
std::size_t count_in_bf16(const std::string& text, const std::string& operation) {
  std::size_t number = 0;
  for (std::size_t at = text.find(operation); at != std::string::npos; at = text.find(operation, at + 1)) {
    const std::string line = text.substr(at, text.find('\n', at) - at);
    const std::string types = line.substr(line.rfind(" : ("));
    EXPECT_EQ(count(types.substr(0, types.find("->")), "xbf16>"), 2u) << line;
    ++number;
  }
  return number;
}

TEST(Step, InBf16HasOnlyBf16Convolutions) {
  const graph::Graph step = SmallSsd(1, 1, DType::bf16).step;
  // Forward, by weight, by input; with moments also those of the input and the gradient's part along it.
  EXPECT_EQ(count_in_bf16(stablehlo::lower(step, {.pointwise_moments = false}), "stablehlo.convolution("),
            7u + 7u + 6u);
  const std::string text = stablehlo::lower(step);
  EXPECT_EQ(count_in_bf16(text, "stablehlo.convolution("), 7u + 7u + 6u + 2u);
  EXPECT_EQ(count_in_bf16(text, "stablehlo.dot_general"), 3u);
}

TEST(Step, ForGpusHasNoScatterAndOnlyBf16Convolutions) {
  const graph::Graph step = SmallSsd(1, 1, DType::bf16).step;
  const std::string text = stablehlo::lower(step, stablehlo::options_for(stablehlo::Target::gpu));
  EXPECT_EQ(count(text, "select_and_scatter"), 0u);
  EXPECT_EQ(count_in_bf16(text, "stablehlo.convolution("), 7u + 7u + 6u);
  EXPECT_GT(count(stablehlo::lower(step), "select_and_scatter"), 0u);
  EXPECT_NE(compile_options({0}, stablehlo::Target::gpu).find("xla_allow_excess_precision"),
            std::string::npos);
}

// Only a batch norm with a residual has its ReLU's mask from its bf16 result; the others compute f32 again.
TEST(Step, ForGpusComputesMasksOfReluAgain) {
  const graph::Graph step = SmallSsd(1, 1, DType::bf16).step;
  const auto from_f32 = [&](stablehlo::Target target, const std::string& norm) {
    std::istringstream text(stablehlo::lower(step, stablehlo::options_for(target)));
    for (std::string line; std::getline(text, line);)
      if (line.ends_with("loc(\"" + norm + "/grad\")") && line.find("compare GT") != std::string::npos)
        return line.find("xf32>, ") != std::string::npos;
    ADD_FAILURE() << norm << " has no mask";
    return false;
  };
  int plain = 0, with_residual = 0;
  for (const graph::Node& node : step.nodes()) {
    if (node.kind != graph::Kind::batch_norm) continue;
    const bool residual = node.as<graph::BatchNormAttributes>().residual;
    ++(residual ? with_residual : plain);
    EXPECT_FALSE(from_f32(stablehlo::Target::tpu, node.name)) << node.name;
    EXPECT_EQ(from_f32(stablehlo::Target::gpu, node.name), !residual) << node.name;
  }
  EXPECT_GT(plain, 0);
  EXPECT_GT(with_residual, 0);
}

// Twenty donated steps, three in flight, each against the interpreter's step from the interpreter's state.
TEST(Step, TwentyDonatedStepsInFlightFollowTheInterpreter) {
  SSD_NEEDS_CPU_PLUGIN();
  const SmallSsd small;
  const auto device = cpu_device();
  const auto program = device->compile({graph::Graph(small.step)});
  program->load(parameters_of(small.step, small.state));
  std::vector<std::vector<Tensor>> inputs;
  std::vector<double> expected, got;
  graph::Feeds state = small.state;
  for (std::uint64_t i = 0; i < 20; ++i) {
    graph::Feeds feeds = small.feeds(10 * i);
    feeds["rate"] = graph::Array(Shape{}, {1e-3});  // small: hard negatives that nearly tie may change places
    inputs.push_back(inputs_of(small.step, feeds));
    feeds.insert(state.begin(), state.end());
    const graph::Interpretation result = graph::interpret(small.step, feeds);
    for (const auto& [name, array] : result.updates) state[name] = array;
    expected.push_back(result.outputs.at("loss").values[0]);
  }
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (i >= 3) got.push_back(static_cast<double>(program->finish()[0].as<float>()[0]));
    program->start(0, views_of(inputs[i]));
  }
  while (got.size() < inputs.size()) got.push_back(static_cast<double>(program->finish()[0].as<float>()[0]));
  for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(got[i], expected[i], 2e-3 * expected[i]) << i;
  const TensorMap saved = program->save();
  expect_near(saved.at("conv1.weight"), state.at("conv1.weight"), 1e-3, "conv1.weight");
  expect_near(saved.at("bn2.variance"), state.at("bn2.variance"), 1e-3, "bn2.variance");
}

TEST(Step, SeveralGraphsShareTheirParameters) {
  SSD_NEEDS_CPU_PLUGIN();
  graph::Graph doubling, reading;
  for (graph::Graph* graph : {&doubling, &reading}) graph->parameter("w", {DType::f32, {3}});
  const int sum = doubling.append(graph::Kind::add, "double", {{0}, {0}});
  doubling.update({0}, {sum});
  reading.output("w", {0}, false);
  const auto device = cpu_device();
  const auto program = device->compile({doubling, reading});
  TensorMap parameters;
  parameters["w"] = to_tensor(graph::Array({3}, {1, 2, 3}), DType::f32);
  program->load(parameters);
  program->start(0, {});
  program->start(1, {});
  EXPECT_TRUE(program->finish().empty());
  EXPECT_EQ(program->finish()[0].as<float>()[2], 6.0f);
  EXPECT_EQ(program->save().at("w").as<float>()[1], 4.0f);
}

// Every replica's inputs joined along dimension 0; scalars as they are.
graph::Feeds joined(const graph::Graph& graph, const std::vector<graph::Feeds>& replicas) {
  graph::Feeds result;
  for (const int number : graph.inputs()) {
    const graph::Node& node = graph.nodes()[number];
    graph::Array array = replicas[0].at(node.name);
    if (node.as<graph::InputAttributes>().sharded) {
      array.shape[0] *= static_cast<std::int64_t>(replicas.size());
      for (std::size_t r = 1; r < replicas.size(); ++r) {
        const auto& more = replicas[r].at(node.name).values;
        array.values.insert(array.values.end(), more.begin(), more.end());
      }
    }
    result[node.name] = array;
  }
  return result;
}

class Replicas : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(BatchNormGroups, Replicas, testing::Values(1, 4));

TEST_P(Replicas, EightTrainWithTheirMeanGradient) {
  SSD_NEEDS_CPU_PLUGIN();
  constexpr int replicas = 8;
  const SmallSsd small(replicas, GetParam());
  std::vector<graph::Feeds> feeds, with_state;
  for (int r = 0; r < replicas; ++r) {
    feeds.push_back(small.feeds(100 + 10 * static_cast<std::uint64_t>(r)));
    with_state.push_back(feeds.back());
    with_state.back().insert(small.state.begin(), small.state.end());
  }
  const std::vector<graph::Interpretation> expected = graph::interpret_replicas(small.step, with_state);
  const auto device = cpu_device(replicas);
  ASSERT_EQ(device->replicas(), replicas);
  const auto program = device->compile({graph::Graph(small.step)});
  program->load(parameters_of(small.step, small.state));
  const std::vector<Tensor> inputs = inputs_of(small.step, joined(small.step, feeds));
  const std::vector<Tensor> outputs = program->run(views_of(inputs));
  ASSERT_EQ(outputs[1].shape(), Shape({replicas * SmallSsd::images}));
  for (std::size_t i = 0; i < replicas * SmallSsd::images; ++i) {
    const double want = expected[i / SmallSsd::images].outputs.at("conf_loss").values[i % SmallSsd::images];
    EXPECT_NEAR(static_cast<double>(outputs[1].as<float>()[i]), want, 1e-4 * (1 + want)) << i;
  }
  const TensorMap saved = program->save();
  for (const auto& [name, array] : expected[0].updates) expect_near(saved.at(name), array, 1e-4, name);
}

TEST(Step, Bf16StaysCloseToF32) {
  SSD_NEEDS_CPU_PLUGIN();
  const auto device = cpu_device();
  std::vector<double> losses;
  for (const DType type : {DType::f32, DType::bf16}) {
    const SmallSsd small(1, 1, type);
    const auto program = device->compile({graph::Graph(small.step)});
    program->load(parameters_of(small.step, small.state));
    double sum = 0;
    for (std::uint64_t i = 0; i < 10; ++i) {
      const std::vector<Tensor> inputs = inputs_of(small.step, small.feeds(7));
      sum += static_cast<double>(program->run(views_of(inputs))[0].as<float>()[0]);
    }
    losses.push_back(sum);
  }
  EXPECT_NEAR(losses[1], losses[0], 0.05 * losses[0]);
}

TEST(Step, WrongInputsAndMissingParametersAreErrorsThatNameThem) {
  SSD_NEEDS_CPU_PLUGIN();
  const SmallSsd small;
  const auto device = cpu_device();
  const auto program = device->compile({graph::Graph(small.step)});
  const std::vector<Tensor> inputs = inputs_of(small.step, small.feeds(1));
  EXPECT_THROW(program->start(0, views_of(inputs)), Error);  // nothing loaded
  TensorMap parameters = parameters_of(small.step, small.state);
  parameters.erase("bn2.scale");
  const std::string missing = message_of([&] { program->load(parameters); });
  EXPECT_NE(missing.find("bn2.scale"), std::string::npos) << missing;
  program->load(parameters_of(small.step, small.state));
  std::vector<TensorView> views = views_of(inputs);
  views[0].shape[0] = 7;
  const std::string wrong = message_of([&] { program->start(0, views); });
  EXPECT_NE(wrong.find("images"), std::string::npos) << wrong;
  EXPECT_THROW(program->finish(), Error);
}

// Text of the key of a file in the cache (cache.cc: a header of 32 bytes, whose second number is its length).
std::string key_of(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  std::uint64_t header[4];
  stream.read(reinterpret_cast<char*>(header), sizeof header);
  std::string key(header[1], 0);
  stream.read(key.data(), static_cast<std::streamsize>(key.size()));
  return key;
}

// Compiles x + x, or x + x + x, with a cache; what it makes of 3.
float run_sum(int terms, const std::string& folder) {
  graph::Graph graph;
  const graph::Value x = graph.input("x", {DType::f32, {3}});
  graph::Value sum = x;
  for (int i = 1; i < terms; ++i) sum = {graph.append(graph::Kind::add, "sum", {sum, x})};
  graph.output("y", {sum}, false);
  const Tensor input = to_tensor(graph::Array({3}, {1, 2, 3}), DType::f32);
  const auto device = make_device({.device = "pjrt:" + cpu_plugin(), .cache_folder = folder});
  const auto program = device->compile({graph});
  program->load({});
  return program->run({input})[0].as<float>()[2];
}

std::vector<std::filesystem::path> files_in(const std::string& folder) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) files.push_back(entry.path());
  return files;
}

class Cache : public testing::Test {
 protected:
  void SetUp() override { std::filesystem::remove_all(folder_); }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string folder_ = testing::TempDir() + "singleshot-cache-test-" + std::to_string(::getpid());
};

TEST_F(Cache, AProgramIsTakenFromItAndADamagedEntryIsNot) {
  SSD_NEEDS_CPU_PLUGIN();
  EXPECT_EQ(run_sum(2, folder_), 6.0f);
  ASSERT_EQ(files_in(folder_).size(), 1u);
  const std::filesystem::path file = files_in(folder_)[0];
  const std::string key = key_of(file);
  EXPECT_EQ(run_sum(3, folder_), 9.0f);
  for (const auto& other : files_in(folder_)) {
    if (other == file) continue;
    // The entry now holds another program, so its result tells whether it was read.
    const ProgramCache cache(folder_);
    cache.store(key, cache.find(key_of(other)).value());
  }
  EXPECT_EQ(run_sum(2, folder_), 9.0f);
  std::filesystem::resize_file(file, std::filesystem::file_size(file) / 2);
  EXPECT_EQ(run_sum(2, folder_), 6.0f);
}

TEST_F(Cache, FlagsOfTheCompilerInTheEnvironmentMakeAnotherProgram) {
  SSD_NEEDS_CPU_PLUGIN();
  run_sum(2, folder_);
  setenv("LIBTPU_INIT_ARGS", "--no_such_flag", 1);  // read by no CPU plugin
  run_sum(2, folder_);
  unsetenv("LIBTPU_INIT_ARGS");
  EXPECT_EQ(files_in(folder_).size(), 2u);
}

TEST_F(Cache, AnotherBuildOfThePluginMakesAnotherProgram) {
  SSD_NEEDS_CPU_PLUGIN();
  run_sum(2, folder_);
  ASSERT_EQ(files_in(folder_).size(), 1u);
  const std::string key = key_of(files_in(folder_)[0]);
  const std::string size = std::to_string(std::filesystem::file_size(cpu_plugin()));
  EXPECT_NE(key.find(size + " bytes of "), std::string::npos) << key.substr(0, 400);
  // A CPU plugin says "cpu" of every processor.
  std::ifstream processors("/proc/cpuinfo");
  for (std::string line; std::getline(processors, line) && !line.empty();)
    if (line.starts_with("flags") || line.starts_with("Features")) {
      EXPECT_NE(key.find(line), std::string::npos);
    }
}

TEST(Device, OptionsOfAGpuAreRefusedByNameWhereThereIsNone) {
  SSD_NEEDS_CPU_PLUGIN();
  for (const bool preallocate : {true, false}) {
    const std::string option = preallocate ? "--memory-fraction" : "--no-preallocate";
    const std::string message = message_of([&] {
      make_device({.device = "pjrt:" + cpu_plugin(),
                   .memory_fraction = preallocate ? 0.5 : 0,
                   .preallocate = preallocate,
                   .cache_folder = ""});
    });
    EXPECT_TRUE(message.starts_with(option)) << message;
    EXPECT_NE(message.find(cpu_plugin()), std::string::npos) << message;
  }
}

}  // namespace
}  // namespace ssd::pjrt
