// Whole training steps: against the interpreter, repeated bit by bit, and in several graphs.
#include "backend/cpu/program.h"

#include <gtest/gtest.h>

#include <cstring>

#include "backend/cpu/cpu_device.h"
#include "backend/cpu/onednn_isa.h"
#include "base/error.h"
#include "graph/gradient.h"
#include "testing/cpu_programs.h"
#include "testing/message_of.h"
#include "testing/update_rules.h"

namespace ssd::cpu {
namespace {

using graph::ConvolutionAttributes;
using graph::Graph;
using graph::Kind;
using graph::Value;

enum class Part { whole, first, last };

// A small SSD with every node kind of a training step. Parts of an accumulated step share its parameters.
class SmallStep {
 public:
  static constexpr std::int64_t images = 2, classes = 3, boxes = 2, count = 9 * 2 + 1;

  explicit SmallStep(Part part = Part::whole) : part_(part) {
    Graph& graph = trial.graph;
    const Value pixels = graph.input("images", {DType::u8, {images, 13, 13, 3}});
    const Value match = graph.input("match", {DType::i32, {images, count}});
    const Value truth = graph.input("boxes", {DType::f32, {images, boxes, 4}});
    const Value labels = graph.input("labels", {DType::i32, {images, boxes}});
    const Value rate = graph.input("rate", {DType::f32, {}}, false);
    const Value seed = graph.input("seed", {DType::f32, {}}, false);
    const auto [loc, conf] = network(pixels);
    const Value defaults = trial.f32("defaults", {count, 4});
    const int loss = graph.append(Kind::multibox_loss, "loss", {loc, conf, match, truth, labels, defaults},
                                  graph::LossAttributes{0.1, 0.2, 3});
    update(graph::gradients(graph, {loss, 0}, seed, trained_), rate);
    trial.output_all(loss);
    fill();
  }

  Trial trial;

 private:
  Value trained(const std::string& name, const Shape& shape) {
    trained_.push_back(trial.f32(name, shape));
    return trained_.back();
  }
  Value convolution(Value x, const std::string& name, std::int64_t out, ConvolutionAttributes a, bool bias) {
    std::vector<Value> inputs{
        x, trained(name + ".weight", {out, trial.graph.type(x).shape[3], a.kernel, a.kernel})};
    if (bias) inputs.push_back(trained(name + ".bias", {out}));
    return {trial.graph.append(Kind::convolution, name, std::move(inputs), a)};
  }
  Value norm(Value x, const std::string& name, std::vector<Value> residual) {
    Graph& graph = trial.graph;
    const Shape channels{graph.type(x).shape[3]};
    std::vector<Value> inputs{x, trained(name + ".scale", channels), trained(name + ".shift", channels)};
    inputs.insert(inputs.end(), residual.begin(), residual.end());
    const int node = graph.append(Kind::batch_norm, name, std::move(inputs),
                                  graph::BatchNormAttributes{.relu = true, .residual = !residual.empty()});
    const Value mean = trial.f32(name + ".mean", channels),
                variance = trial.f32(name + ".variance", channels);
    const int running = graph.append(Kind::running_statistics, name, {mean, variance, {node, 1}, {node, 2}},
                                     graph::RunningAttributes{.count = 18});
    graph.update(mean, {running, 0});
    graph.update(variance, {running, 1});
    return {node, 0};
  }
  std::pair<Value, Value> network(Value pixels) {
    Graph& graph = trial.graph;
    Value y{graph.append(Kind::normalize, "normalize", {pixels},
                         graph::NormalizeAttributes{{0.4, 0.5, 0.6}, {0.2, 0.3, 0.4}})};
    y = norm(convolution(y, "c1", 16, {.stride = 2, .padding = 3, .kernel = 7}, false), "n1", {});
    y = {graph.append(Kind::max_pool, "pool", {y}, graph::PoolAttributes{})};  // 4 x 4
    Value z = norm(convolution(y, "c2", 8, {}, false), "n2", {});
    z = norm(convolution(z, "c3", 16, {.padding = 1, .kernel = 3}, false), "n3", {y});
    const Value map =
        norm(convolution(z, "c4", 20, {.stride = 1, .padding = 0, .kernel = 2}, false), "n4", {});
    const Value small = norm(convolution(map, "c5", 12, {.kernel = 3}, false), "n5", {});
    const Value a = convolution(map, "h0", 2 * 7, {.padding = 1, .kernel = 3}, true);
    const Value b = convolution(small, "h1", 7, {.padding = 1, .kernel = 3}, true);
    const int view = graph.append(Kind::head_view, "heads", {a, b},
                                  graph::HeadAttributes{{{3, 3, 2}, {1, 1, 1}}, classes});
    return {{view, 0}, {view, 1}};
  }
  void update(std::vector<Value> gradients, Value rate) {
    Graph& graph = trial.graph;
    for (std::size_t i = 0; i < trained_.size(); ++i) {
      const std::string name = graph.node(trained_[i]).name;
      const Shape shape = graph.type(trained_[i]).shape;
      if (part_ != Part::whole) {
        const Value sum = trial.f32("gradient/" + name, shape);
        if (part_ == Part::last) gradients[i] = {graph.append(Kind::add, name + "/sum", {sum, gradients[i]})};
        if (part_ == Part::first) graph.update(sum, gradients[i]);
        if (part_ == Part::first) continue;
      }
      const Value momentum = trial.f32("momentum/" + name, shape);
      const int node =
          graph.append(Kind::update, name + "/update", {trained_[i], gradients[i], momentum, rate},
                       graph::UpdateAttributes{graph::sgd_rule(0.9, 5e-4)});
      graph.update(trained_[i], {node, 0});
      graph.update(momentum, {node, 1});
    }
  }
  void fill() {
    graph::Feeds& feeds = trial.feeds;
    trial.fill();
    for (double& value : feeds["images"].values) value = std::floor(128 + 127 * value);
    for (const char* name : {"boxes", "defaults"})
      for (double& value : feeds[name].values) value = static_cast<float>(0.5 + 0.3 * value);
    feeds["labels"] = graph::Array({images, boxes}, {1, 2, 2, 1});
    for (double& value : feeds["match"].values) value = -1;
    feeds["match"].values[3] = 0;
    feeds["match"].values[18] = 1;
    feeds["match"].values[count + 7] = 1;
    feeds["rate"] = graph::Array(Shape{}, {0.125});
    feeds["seed"] = graph::Array(Shape{}, {0.5});
  }

  Part part_;
  std::vector<Value> trained_;
};

std::vector<TensorView> views(const std::vector<Tensor>& tensors) { return {tensors.begin(), tensors.end()}; }

TEST(Program, SeveralStepsOfTrainingMatchTheInterpreter) {
  SmallStep step;
  expect_like_interpreter(step.trial, {.tolerance = 2e-4, .steps = 3});
}

TEST(Program, SameStepsGiveTheSameBits) {
  SmallStep step;
  const std::vector<Tensor> inputs = inputs_of(step.trial);
  std::vector<TensorMap> results;
  for (int i = 0; i < 2; ++i) {
    const auto program = make_device({.threads = 2})->compile({step.trial.graph});
    program->load(parameters_of(step.trial));
    for (int k = 0; k < 4; ++k) program->run(views(inputs));
    results.push_back(program->save());
  }
  for (const auto& [name, tensor] : results[0])
    EXPECT_EQ(std::memcmp(tensor.data(), results[1].at(name).data(), tensor.bytes()), 0) << name;
}

TEST(Program, SavedAndLoadedItGoesOnWithTheSameBits) {
  SmallStep step;
  const std::vector<Tensor> inputs = inputs_of(step.trial);
  const auto device = make_device({.threads = 2});
  const auto whole = device->compile({step.trial.graph}), resumed = device->compile({step.trial.graph});
  whole->load(parameters_of(step.trial));
  whole->run(views(inputs));
  resumed->load(whole->save());
  whole->run(views(inputs));
  resumed->run(views(inputs));
  const TensorMap expected = whole->save(), got = resumed->save();
  for (const auto& [name, tensor] : expected)
    EXPECT_EQ(std::memcmp(tensor.data(), got.at(name).data(), tensor.bytes()), 0) << name;
}

TEST(Program, GraphsShareTheirParameters) {
  // Twice the first half of the gradient and then the update, as the interpreter does it.
  SmallStep first(Part::first), last(Part::last);
  const std::vector<Tensor> inputs = inputs_of(first.trial);
  const auto program = make_device({.threads = 2})->compile({first.trial.graph, last.trial.graph});
  TensorMap parameters = parameters_of(last.trial);
  program->load(parameters);
  graph::Feeds feeds = last.trial.feeds;
  for (int step = 0; step < 2; ++step)
    for (int g = 0; g < 2; ++g) {
      program->start(g, views(inputs));
      const std::vector<Tensor> outputs = program->finish();
      const graph::Interpretation expected =
          graph::interpret(g == 0 ? first.trial.graph : last.trial.graph, feeds);
      expect_near(expected.outputs.at("0"), outputs[0], 2e-4, "loss");
      for (const auto& [name, array] : expected.updates) feeds[name] = array;
    }
  for (const auto& [name, tensor] : program->save()) expect_near(feeds.at(name), tensor, 5e-4, name);
}

TEST(Program, PlacedValuesDoNotOverlapWhileTheyLive) {
  SmallStep step;
  const Schedule schedule = cpu::schedule(step.trial.graph, 8, {});
  std::vector<std::unique_ptr<Executor>> executors;
  SingleProcess alone;
  for (const Task& task : schedule.tasks) executors.push_back(make_executor(task, alone));
  const Placement placement = place(step.trial.graph, schedule, executors);
  for (std::size_t i = 0; i < placement.slots.size(); ++i)
    for (std::size_t j = 0; j < i; ++j) {
      const Lifetime &a = placement.slots[i], &b = placement.slots[j];
      if (a.first > b.last || b.first > a.last) continue;
      const std::size_t at = placement.arena.offsets[i], bt = placement.arena.offsets[j];
      EXPECT_TRUE(at + a.bytes <= bt || bt + b.bytes <= at) << i << " and " << j;
    }
  // Every reader finds its input's slot alive.
  for (std::size_t t = 0; t < schedule.tasks.size(); ++t)
    for (const Value input : schedule.tasks[t].inputs) {
      const Place place = placement.places[input.node][input.output];
      if (place.parameter >= 0) continue;
      EXPECT_LE(placement.slots[place.slot].first, static_cast<int>(t) + 1);
      EXPECT_GE(placement.slots[place.slot].last, static_cast<int>(t) + 1);
    }
}

TEST(Program, RefusesWhatItCannotDo) {
  SmallStep step;
  Graph graph = step.trial.graph;
  graph.replicas = 2;
  const auto device = make_device();
  EXPECT_THROW(device->compile({graph}), Error);
  EXPECT_THROW(device->require(DType::f16), Error);
  EXPECT_NO_THROW(device->require(DType::f32));
  EXPECT_EQ(message_of([&] { device->require(DType::bf16); }).empty(), has_bf16_products());
  EXPECT_THROW(make_device({.threads = -1}), Error);

  const auto program = device->compile({step.trial.graph});
  EXPECT_THROW(program->load({}), Error);
  EXPECT_THROW(program->start(0, {}), Error);
  EXPECT_THROW(program->finish(), Error);
  std::vector<Tensor> inputs = inputs_of(step.trial);
  inputs[0] = Tensor(DType::u8, {1, 13, 13, 3});
  EXPECT_THROW(program->start(0, views(inputs)), Error);
}

TEST(Program, ProfileNamesEveryNodeThatRan) {
  SmallStep step;
  const std::vector<Tensor> inputs = inputs_of(step.trial);
  const auto program = make_device()->compile({step.trial.graph});
  program->load(parameters_of(step.trial));
  for (int step_number = 0; step_number < 2; ++step_number) program->run(views(inputs));
  double seconds = 0;
  graph::Cost sum;
  for (const graph::NodeTime& node : program->profile()) {
    EXPECT_EQ(node.steps, 2) << node.name;
    EXPECT_EQ(node.method.empty(), graph::name_of(node.kind).find("convolution") == std::string::npos)
        << node.name;
    seconds += node.seconds;
    sum += node.cost;
  }
  EXPECT_GT(seconds, 0);
  EXPECT_EQ(sum.flops, graph::cost(step.trial.graph).flops);  // with the sums that other nodes make
  EXPECT_GT(sum.bytes, 0);
}

TEST(Program, TracesTheStepsThatItIsAskedTo) {
  SmallStep step;
  const std::vector<Tensor> inputs = inputs_of(step.trial);
  const auto program = make_device()->compile({step.trial.graph});
  program->load(parameters_of(step.trial));
  Trace trace;
  program->run(views(inputs));
  program->record(&trace);
  for (int step_number = 0; step_number < 2; ++step_number) program->run(views(inputs));
  program->record(nullptr);
  program->run(views(inputs));

  std::vector<std::string> expected{"inputs"};
  for (const graph::NodeTime& node : program->profile()) expected.push_back(node.name);
  expected.insert(expected.end(), {"outputs", "parameters"});
  const std::vector<Span> spans = trace.spans();
  ASSERT_EQ(spans.size(), 2 * expected.size());
  for (std::size_t i = 0; i < spans.size(); ++i) {
    EXPECT_EQ(spans[i].name, expected[i % expected.size()]);
    EXPECT_LE(spans[i].begin, spans[i].end) << spans[i].name;
    if (i > 0) {
      EXPECT_LE(spans[i - 1].end, spans[i].begin) << spans[i].name;
    }
  }
}

}  // namespace
}  // namespace ssd::cpu
