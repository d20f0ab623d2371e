#include "model/training_program.h"

#include <array>
#include <cassert>
#include <utility>

#include "model/parameters.h"

namespace ssd::model {
namespace {

constexpr std::array<std::pair<std::string_view, TensorView TrainingInputs::*>, 8> input_names{{
    {"images", &TrainingInputs::images},
    {"match", &TrainingInputs::match},
    {"boxes", &TrainingInputs::boxes},
    {"labels", &TrainingInputs::labels},
    {"learning_rate", &TrainingInputs::learning_rate},
    {"loss_scale", &TrainingInputs::loss_scale},
    {"step", &TrainingInputs::step},
    {"ema_decay", &TrainingInputs::ema_decay},
}};

constexpr std::array<std::pair<std::string_view, Tensor TrainingOutputs::*>, 4> output_names{{
    {"loss", &TrainingOutputs::loss},
    {"loc_loss", &TrainingOutputs::loc_loss},
    {"conf_loss", &TrainingOutputs::conf_loss},
    {"positives", &TrainingOutputs::positives},
}};

// The parts of a step, in the order in which their graphs are compiled.
std::vector<Accumulation> parts_of(int accumulation) {
  if (accumulation == 1) return {Accumulation::none};
  return {Accumulation::first, Accumulation::middle, Accumulation::last};
}

int graph_of(int micro, int accumulation) {
  if (accumulation == 1 || micro == 0) return 0;
  return micro + 1 == accumulation ? 2 : 1;
}

}  // namespace

TrainingProgram::TrainingProgram(graph::Device& device, const ModelOptions& model,
                                 const TrainingOptions& options, int accumulation)
    : model_(model),
      optimizer_(optimizer_named(options.optimizer.name)),
      accumulation_(accumulation),
      ema_(options.ema) {
  std::vector<graph::Graph> graphs;
  TrainingOptions part = options;
  for (const Accumulation kind : parts_of(accumulation)) {
    part.accumulation = kind;
    graphs.push_back(training_graph(model, part));
  }
  for (const int id : graphs[0].inputs()) inputs_.push_back(graphs[0].nodes()[id].name);
  for (const graph::Output& output : graphs[0].outputs()) outputs_.push_back(output.name);
  for (const graph::Graph& graph : graphs)
    for (const int id : graph.parameters()) {
      const graph::Node& node = graph.nodes()[id];
      if (node.name.starts_with("gradient/"))
        sums_.try_emplace(node.name, Tensor(DType::f32, node.outputs[0].shape));
    }
  program_ = device.compile(std::move(graphs));
}

void TrainingProgram::load(const State& state) {
  TensorMap parameters = program_parameters(model_, state, optimizer_);
  if (ema_) add_average(parameters, model_, state);
  for (const auto& [name, zeros] : sums_) parameters.emplace(name, zeros.clone());
  program_->load(parameters);
}

State TrainingProgram::save() { return state_of(model_, program_->save(), optimizer_); }

void TrainingProgram::start(int micro, const TrainingInputs& inputs) {
  std::vector<TensorView> views;
  for (const std::string& name : inputs_)
    for (const auto& [known, member] : input_names)
      if (name == known) views.push_back(inputs.*member);
  assert(views.size() == inputs_.size());
  program_->start(graph_of(micro, accumulation_), views);
}

TrainingOutputs TrainingProgram::finish() {
  std::vector<Tensor> tensors = program_->finish();
  TrainingOutputs outputs;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    bool named = false;
    for (const auto& [known, member] : output_names) {
      if (outputs_[i] != known) continue;
      outputs.*member = std::move(tensors[i]);
      named = true;
    }
    if (!named) outputs.inspected.emplace(outputs_[i], std::move(tensors[i]));
  }
  return outputs;
}

}  // namespace ssd::model
