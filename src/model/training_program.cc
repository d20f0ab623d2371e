#include "model/training_program.h"

#include <algorithm>
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

constexpr std::array<std::pair<std::string_view, Tensor TrainingOutputs::*>, 6> output_names{{
    {"loss", &TrainingOutputs::loss},
    {"loc_loss", &TrainingOutputs::loc_loss},
    {"conf_loss", &TrainingOutputs::conf_loss},
    {"positives", &TrainingOutputs::positives},
    {"micro_square", &TrainingOutputs::micro_square},
    {"step_square", &TrainingOutputs::step_square},
}};

// The parts of a step, in the order in which their graphs are compiled.
std::vector<Accumulation> parts_of(int accumulation) {
  using enum Accumulation;
  switch (accumulation) {
    case TrainingProgram::varying:
      return {none, first, middle, last};
    case 1:
      return {none};
    case 2:
      return {first, last};
    default:
      return {first, middle, last};
  }
}

Accumulation part_of(int micro, int of) {
  if (of == 1) return Accumulation::none;
  if (micro == 0) return Accumulation::first;
  return micro + 1 == of ? Accumulation::last : Accumulation::middle;
}

}  // namespace

TrainingProgram::TrainingProgram(graph::Device& device, const ModelOptions& model,
                                 const TrainingOptions& options, int accumulation)
    : model_(model),
      optimizer_(optimizer_named(options.optimizer.name)),
      ema_(options.ema),
      parts_(parts_of(accumulation)) {
  std::vector<graph::Graph> graphs;
  TrainingOptions of_part = options;
  for (const Accumulation part : parts_) {
    of_part.accumulation = part;
    graphs.push_back(training_graph(model, of_part));
  }
  for (const int id : graphs[0].inputs()) inputs_.push_back(graphs[0].nodes()[id].name);
  for (const graph::Output& output : graphs.back().outputs()) outputs_.push_back(output.name);
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
  frozen_ = frozen_weights(model_, state.weights);
  for (const auto& [name, zeros] : sums_) parameters.emplace(name, zeros.clone());
  program_->load(parameters);
}

State TrainingProgram::save() {
  State state = state_of(model_, program_->save(), optimizer_);
  for (const auto& [name, tensor] : frozen_) state.weights.insert_or_assign(name, tensor.clone());
  return state;
}

void TrainingProgram::start(int micro, int of, const TrainingInputs& inputs) {
  const auto part = std::ranges::find(parts_, part_of(micro, of));
  assert(part != parts_.end());
  std::vector<TensorView> views;
  for (const std::string& name : inputs_)
    for (const auto& [known, member] : input_names)
      if (name == known) views.push_back(inputs.*member);
  assert(views.size() == inputs_.size());
  program_->start(static_cast<int>(part - parts_.begin()), views);
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
