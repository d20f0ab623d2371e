#include "model/training_graph.h"

#include <fmt/format.h>

#include <optional>

#include "boxes/ssd300.h"
#include "graph/gradient.h"
#include "model/layers.h"
#include "model/ssd300.h"
#include "model/state.h"

namespace ssd::model {
namespace {

using graph::Graph;
using graph::Kind;
using graph::Value;

// Averages values over the replicas in one all-reduce.
void append_all_reduce(Graph& graph, const std::vector<Value*>& values) {
  std::vector<Value> inputs;
  for (const Value* value : values) inputs.push_back(*value);
  const int node = graph.append(Kind::all_reduce, "all_reduce", std::move(inputs));
  for (int i = 0; i < static_cast<int>(values.size()); ++i) *values[i] = {node, i};
}

// Adds the sums of the micro-batches before to the gradients, and keeps them where the step goes on.
void accumulate(Graph& graph, const std::vector<Value>& trained, std::vector<Value>& gradients,
                Accumulation accumulation) {
  for (std::size_t i = 0; i < trained.size(); ++i) {
    const std::string name = "gradient/" + graph.node(trained[i]).name;
    const Value sum = graph.parameter(name, graph.type(trained[i]));
    if (accumulation != Accumulation::first)
      gradients[i] = {graph.append(Kind::add, name + "/sum", {sum, gradients[i]})};
    if (accumulation != Accumulation::last) graph.update(sum, gradients[i]);
  }
}

// What a step is told beside images and boxes.
struct Scalars {
  Value learning_rate;
  std::optional<Value> step;          // its number, where the optimizer uses it
  std::optional<Value> squared_norm;  // of all gradients, likewise
  std::optional<Value> ema_decay;     // where there is an average
};

// An average is updated as a weight is: its "gradient" is the new weight, its "rate" the decay.
graph::UpdateRule average_rule() {
  graph::UpdateFormula f;
  const auto average = f.weight(), weight = f.gradient(), decay = f.learning_rate();
  return f.rule(average + (f.constant(1) - decay) * (weight - average), {});
}

void append_average(Graph& graph, Value weight, Value updated, Value decay) {
  const std::string name = graph.node(weight).name;
  const Value average = graph.parameter(std::string(ema_prefix) + name, graph.type(weight));
  const int node = graph.append(Kind::update, name + "/average", {average, updated, decay},
                                graph::UpdateAttributes{average_rule()});
  graph.update(average, {node, 0});
}

void append_update(Graph& graph, const std::vector<Value>& trained, const std::vector<Value>& gradients,
                   const Scalars& scalars, const OptimizerOptions& options) {
  const Optimizer& optimizer = optimizer_named(options.name);
  for (std::size_t i = 0; i < trained.size(); ++i) {
    const Value weight = trained[i];
    const std::string name = graph.node(weight).name;
    const Part part = graph.type(weight).shape.rank() > 1 ? Part::weight : Part::vector;
    const graph::UpdateRule rule = optimizer.rule(options, part);
    std::vector<Value> inputs{weight, gradients[i]};
    for (const std::string_view slot : optimizer.slots)
      inputs.push_back(graph.parameter(fmt::format("{}/{}", slot, name), graph.type(weight)));
    inputs.push_back(scalars.learning_rate);
    if (scalars.step) inputs.push_back(*scalars.step);
    if (rule.uses(graph::UpdateRule::Op::squared_norm)) inputs.push_back(*scalars.squared_norm);
    const int node = graph.append(Kind::update, name + "/update", inputs, graph::UpdateAttributes{rule});
    graph.update(weight, {node, 0});
    for (int slot = 0; slot < static_cast<int>(optimizer.slots.size()); ++slot)
      graph.update(inputs[2 + slot], {node, 1 + slot});
    if (scalars.ema_decay) append_average(graph, weight, {node, 0}, *scalars.ema_decay);
  }
}

bool uses(const OptimizerOptions& options, graph::UpdateRule::Op op) {
  return optimizer_named(options.name).rule(options, Part::weight).uses(op);
}

bool updates(const TrainingOptions& options) {
  return options.accumulation == Accumulation::none || options.accumulation == Accumulation::last;
}

// What a micro-batch comes to.
struct Results {
  Value loss;
  std::vector<Value> gradients;  // of the trained tensors
  std::optional<Value> micro_square, step_square;
};

graph::LossAttributes loss_attributes(const LossOptions& options) {
  return {.scale_xy = scale_xy,
          .scale_wh = scale_wh,
          .negatives_per_positive = negatives_per_positive,
          .label_smoothing = options.label_smoothing,
          .loc_weight = options.loc_weight,
          .conf_weight = options.conf_weight,
          .background_negatives = options.background ? negatives_per_positive : 0};
}

// From one replica's micro-batch to the step so far, and to all replicas.
void combine(Graph& graph, const TrainingOptions& options, const std::vector<Value>& trained,
             Results& results) {
  const auto squared_norm = [&](const char* name) -> Value {
    return {graph.append(Kind::squared_norm, name, results.gradients)};
  };
  if (options.gradient_squares) results.micro_square = squared_norm("micro_square");
  if (options.accumulation != Accumulation::none)
    accumulate(graph, trained, results.gradients, options.accumulation);
  if (options.replicas > 1) {
    std::vector<Value*> means;
    if (updates(options))
      for (Value& gradient : results.gradients) means.push_back(&gradient);
    means.push_back(&results.loss);
    if (results.micro_square) means.push_back(&*results.micro_square);
    append_all_reduce(graph, means);
  }
  const bool wanted =
      options.gradient_squares || uses(options.optimizer, graph::UpdateRule::Op::squared_norm);
  if (updates(options) && wanted) results.step_square = squared_norm("step_square");
}

}  // namespace

Graph training_graph(const ModelOptions& model, const TrainingOptions& options) {
  Graph graph;
  graph.replicas = options.replicas;
  const std::int64_t n = options.batch, g = options.max_boxes;
  const Value images = graph.input("images", {DType::u8, {n, image_size, image_size, 3}});
  const Value match = graph.input("match", {DType::i32, {n, default_box_count}});
  const Value boxes = graph.input("boxes", {DType::f32, {n, g, 4}});
  const Value labels = graph.input("labels", {DType::i32, {n, g}});
  Scalars scalars{.learning_rate = graph.input("learning_rate", {DType::f32, {}}, false)};
  const Value loss_scale = graph.input("loss_scale", {DType::f32, {}}, false);
  if (uses(options.optimizer, graph::UpdateRule::Op::step))
    scalars.step = graph.input("step", {DType::f32, {}}, false);
  if (options.ema) scalars.ema_decay = graph.input("ema_decay", {DType::f32, {}}, false);
  const Value defaults = graph.parameter("default_boxes", {DType::f32, {default_box_count, 4}});

  LayerBuilder layers(
      graph,
      {.mode = Mode::training, .compute = model.compute, .batch_norm_group = options.batch_norm_group});
  const Network network = append_network(layers, images, model);
  const int loss_node =
      graph.append(Kind::multibox_loss, "loss", {network.loc, network.conf, match, boxes, labels, defaults},
                   loss_attributes(options.loss));
  const std::vector<Value>& trained = layers.trained();
  Results results{.loss = {loss_node},
                  .gradients = graph::gradients(graph, {loss_node}, loss_scale, trained)};
  combine(graph, options, trained, results);
  scalars.squared_norm = results.step_square;
  if (updates(options)) append_update(graph, trained, results.gradients, scalars, options.optimizer);

  graph.output("loss", results.loss, false);
  graph.output("loc_loss", {loss_node, 1}, true);
  graph.output("conf_loss", {loss_node, 2}, true);
  graph.output("positives", {loss_node, 3}, true);
  if (options.gradient_squares) graph.output("micro_square", *results.micro_square, false);
  if (options.inspect) {
    graph.output("loc", network.loc, true);
    graph.output("conf", network.conf, true);
    for (std::size_t i = 0; i < trained.size(); ++i)
      graph.output("gradient/" + graph.node(trained[i]).name, results.gradients[i], false);
  }
  // The last, so that all graphs of a step have the outputs before it in common.
  if (options.gradient_squares && updates(options)) graph.output("step_square", *results.step_square, false);
  return graph;
}

}  // namespace ssd::model
