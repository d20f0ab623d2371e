// Programs whose steps fail, and what a program keeps on its device.
#include "backend/pjrt/program.h"

#include <functional>

#include "backend/pjrt/compile_options.h"
#include "backend/stablehlo/lower.h"
#include "base/error.h"
#include "testing/graph_feeds.h"
#include "testing/message_of.h"

namespace ssd::pjrt {
namespace {

// w becomes w + x; the executable may be of another graph, which then refuses to run.
graph::Graph accumulating(int inputs) {
  graph::Graph graph;
  const graph::Value w = graph.parameter("w", {DType::f32, {3}});
  graph::Value sum = w;
  for (int i = 0; i < inputs; ++i) {
    const graph::Value x = graph.input("x" + std::to_string(i), {DType::f32, {3}}, false);
    sum = {graph.append(graph::Kind::add, "sum", {sum, x})};
  }
  graph.update(w, sum);
  graph.output("sum", sum, false);
  return graph;
}

std::unique_ptr<graph::Program> program_of(const std::vector<graph::Graph>& graphs,
                                           const std::vector<graph::Graph>& compiled) {
  ProgramSource source{.client = Client::create(Plugin::load(cpu_plugin())), .depth = 2, .graphs = graphs};
  for (const graph::Graph& graph : compiled)
    source.executables.push_back(
        Executable::compile(source.client, stablehlo::lower(graph), compile_options({0})));
  return make_program(std::move(source));
}

TensorMap ones() {
  TensorMap parameters;
  parameters["w"] = to_tensor(graph::Array({3}, {1, 1, 1}), DType::f32);
  return parameters;
}

TEST(Program, AStepThatCannotStartLosesTheParametersUntilTheyAreLoadedAgain) {
  SSD_NEEDS_CPU_PLUGIN();
  const graph::Graph good = accumulating(1), other = accumulating(2);
  const auto program = program_of({good, good}, {good, other});
  const Tensor x = to_tensor(graph::Array({3}, {1, 2, 3}), DType::f32);
  program->load(ones());
  program->start(0, {x});
  EXPECT_THROW(program->start(1, {x}), Error);
  for (const auto& action :
       std::vector<std::function<void()>>{[&] { program->start(0, {x}); }, [&] { program->save(); }}) {
    const std::string message = message_of(action);
    EXPECT_NE(message.find("load them"), std::string::npos) << message;
  }
  program->load(ones());
  EXPECT_EQ(program->run({x})[0].as<float>()[2], 4.0f);
  EXPECT_EQ(program->save().at("w").as<float>()[2], 4.0f);
}

TEST(Program, AnOutputThatNobodyWantsIsNotFetched) {
  SSD_NEEDS_CPU_PLUGIN();
  const graph::Graph good = accumulating(1);
  const auto program = program_of({good}, {good});
  const Tensor x = to_tensor(graph::Array({3}, {1, 2, 3}), DType::f32);
  program->load(ones());
  program->start(0, {x});
  program->start(0, {x});
  program->discard();
  EXPECT_EQ(program->finish()[0].as<float>()[1], 5.0f);
  EXPECT_THROW(program->discard(), Error);
}

// One convolution of inference in bf16.
TEST(Program, WeightsOfInferenceInBf16AreRoundedWhenTheyAreLoaded) {
  SSD_NEEDS_CPU_PLUGIN();
  graph::Graph graph;
  const graph::Value x = graph.input("x", {DType::f32, {1, 4, 4, 3}});
  const graph::Value weight = graph.parameter("weight", {DType::f32, {5, 3, 1, 1}});
  const graph::Value bias = graph.parameter("bias", {DType::f32, {5}});
  const int y = graph.append(graph::Kind::fused_convolution, "convolution", {x, weight, bias},
                             graph::ConvolutionAttributes{.compute = DType::bf16});
  graph.output("y", {y}, true);
  const std::string text = stablehlo::lower(graph, {.narrow = {"weight"}});
  EXPECT_NE(text.find("tensor<5x3x1x1xbf16> loc(\"weight\")"), std::string::npos) << text;
  graph::Feeds feeds{{"x", random_array({1, 4, 4, 3}, 1)},
                     {"weight", random_array({5, 3, 1, 1}, 2)},
                     {"bias", random_array({5}, 3)}};
  const auto program = cpu_device()->compile({graph});
  program->load(parameters_of(graph, feeds));
  const std::vector<Tensor> inputs = inputs_of(graph, feeds);
  const std::vector<Tensor> outputs = program->run(views_of(inputs));
  expect_near(outputs[0], graph::interpret(graph, feeds).outputs.at("y"), 1e-2, "y");
  const TensorMap saved = program->save();
  EXPECT_EQ(saved.at("weight").dtype(), DType::f32);
  expect_near(saved.at("weight"), feeds.at("weight"), 4e-3, "weight");
}

}  // namespace
}  // namespace ssd::pjrt
