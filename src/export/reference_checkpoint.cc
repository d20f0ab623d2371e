#include "export/reference_checkpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <sstream>

#include "base/error.h"
#include "model/state.h"
#include "weights/torch_writer.h"

namespace ssd {
namespace {

using torch_save::Dict;
using torch_save::List;
using torch_save::None;
using torch_save::Value;

constexpr double decay_factor = 0.1;  // of the recipe at each milestone

Value text(std::string value) { return {std::move(value)}; }
Value whole(std::int64_t value) { return {value}; }

// The sections of the modules, in their order.
int section_of(std::string_view name) {
  constexpr std::string_view sections[]{"feature_extractor.", "additional_blocks.", "loc.", "conf."};
  return static_cast<int>(
      std::ranges::find_if(sections, [&](std::string_view section) { return name.starts_with(section); }) -
      std::begin(sections));
}

// The layer that a tensor is of, and "" where that is no part of a residual block: a block's shortcut comes
// last.
std::string block_of(std::string_view name) {
  constexpr std::string_view start = "feature_extractor.feature_extractor.";
  if (!name.starts_with(start)) return "";
  const std::string_view rest = name.substr(start.size());
  const std::size_t layer_end = rest.find('.'), block_end = rest.find('.', layer_end + 1);
  const bool in_block = block_end != std::string_view::npos;  // "4.0.conv1.weight", not "0.weight"
  return in_block ? std::string(rest.substr(0, block_end)) : "";
}

bool of_shortcut(std::string_view name) { return name.find(".downsample.") != std::string_view::npos; }

bool without_decay(const model::StateTensor& tensor) {
  return tensor.shape.rank() == 1 || tensor.name.ends_with(".bias");
}

double number(const TrainingProgress& progress, const char* option) {
  const auto found = progress.options.find(option);
  double value = 0;
  if (found != progress.options.end()) {
    const std::string& digits = found->second;
    const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (code == std::errc() && end == digits.data() + digits.size()) return value;
  }
  throw Error(
      "checkpoint: got no number for its option {}, which the optimizer's state needs; take another "
      "checkpoint",
      option);
}

double number_or(const TrainingProgress& progress, const char* option, double otherwise) {
  return progress.options.contains(option) ? number(progress, option) : otherwise;
}

bool is(const TrainingProgress& progress, const char* option, std::string_view value) {
  const auto found = progress.options.find(option);
  return found != progress.options.end() && found->second == value;
}

// Whole epochs; nothing where the schedule has others, which MultiStepLR does not know.
std::optional<std::vector<std::int64_t>> milestones_of(const TrainingProgress& progress) {
  const auto found = progress.options.find("multistep");
  if (found == progress.options.end() || !is(progress, "schedule", "multistep")) return std::nullopt;
  std::istringstream list(found->second);
  std::vector<std::int64_t> milestones;
  for (std::string word; list >> word;) {
    std::int64_t epoch = 0;
    const auto [end, code] = std::from_chars(word.data(), word.data() + word.size(), epoch);
    if (code != std::errc() || end != word.data() + word.size()) return std::nullopt;
    milestones.push_back(epoch);
  }
  return milestones;
}

// After the warm-up.
double rate_at(const TrainingProgress& progress, const std::vector<std::int64_t>& milestones) {
  double rate = number(progress, "learning-rate");
  for (const std::int64_t milestone : milestones)
    if (progress.epoch >= milestone) rate *= decay_factor;
  return rate;
}

Dict group_of(std::int64_t first, std::int64_t count, double weight_decay, double rate,
              const TrainingProgress& progress) {
  List parameters;
  for (std::int64_t i = 0; i < count; ++i) parameters.items.push_back(whole(first + i));
  Dict group;
  group.add(text("weight_decay"), {weight_decay});
  group.add(text("lr"), {rate});
  group.add(text("momentum"), {number(progress, "momentum")});
  group.add(text("dampening"), whole(0));
  for (const char* off : {"nesterov", "maximize", "differentiable"}) group.add(text(off), {false});
  group.add(text("foreach"), {None{}});
  group.add(text("initial_lr"), {number(progress, "learning-rate")});
  group.add(text("params"), {std::move(parameters)});
  return group;
}

// {"state": {0: {"momentum_buffer": ...}}, "param_groups": [...]}; parameters are numbered through the
// groups.
Dict optimizer_of(const ExportSource& source, double rate) {
  const TrainingProgress& progress = *source.progress;
  const std::vector<model::StateTensor> parameters = reference_parameters(source.network.model);
  Dict state;
  List groups;
  std::int64_t next = 0;
  for (const bool decays : {false, true}) {
    const std::int64_t first = next;
    for (const model::StateTensor& tensor : parameters) {
      if (without_decay(tensor) == decays) continue;
      const auto momentum = progress.momentum.find(tensor.name);
      if (momentum == progress.momentum.end() || momentum->second.shape() != tensor.shape)
        throw Error("checkpoint: got no momentum of tensor '{}' in its shape; take another checkpoint",
                    tensor.name);
      Dict buffer;
      buffer.add(text("momentum_buffer"), {TensorView(momentum->second)});
      state.add(whole(next++), {std::move(buffer)});
    }
    groups.items.push_back(
        {group_of(first, next - first, decays ? number(progress, "weight-decay") : 0, rate, progress)});
  }
  Dict optimizer;
  optimizer.add(text("state"), {std::move(state)});
  optimizer.add(text("param_groups"), {std::move(groups)});
  return optimizer;
}

Dict scheduler_of(const TrainingProgress& progress, const std::vector<std::int64_t>& milestones) {
  const auto for_both_groups = [](double rate) { return Value{List{{Value{rate}, Value{rate}}}}; };
  Dict counts{{}, Dict::Kind::counter};
  for (std::size_t i = 0; i < milestones.size(); ++i)
    if (std::find(milestones.begin(), milestones.begin() + static_cast<std::ptrdiff_t>(i), milestones[i]) ==
        milestones.begin() + static_cast<std::ptrdiff_t>(i))
      counts.add(whole(milestones[i]), whole(std::ranges::count(milestones, milestones[i])));
  Dict scheduler;
  scheduler.add(text("milestones"), {std::move(counts)});
  scheduler.add(text("gamma"), {decay_factor});
  scheduler.add(text("base_lrs"), for_both_groups(number(progress, "learning-rate")));
  scheduler.add(text("last_epoch"), whole(progress.epoch));
  scheduler.add(text("_step_count"), whole(progress.epoch + 1));
  scheduler.add(text("verbose"), {false});
  scheduler.add(text("_get_lr_called_within_step"), {false});
  scheduler.add(text("_last_lr"), for_both_groups(rate_at(progress, milestones)));
  return scheduler;
}

void add_training(Dict& root, const ExportSource& source, std::vector<std::string>& notes) {
  const TrainingProgress& progress = *source.progress;
  if (progress.within_epoch)
    notes.push_back(fmt::format("the checkpoint lies within epoch {}: the reference begins that epoch anew",
                                progress.epoch));
  if (progress.momentum.empty() || !is(progress, "optimizer", "sgd")) {
    notes.push_back("no optimizer's state in the file: the checkpoint has none of SGD's");
    return;
  }
  if (number_or(progress, "freeze-backbone", 0) > 0) {
    notes.push_back("no optimizer's state in the file: it would be of all layers, and the run froze some");
    return;
  }
  const auto milestones = milestones_of(progress);
  if (milestones)
    root.add(text("scheduler"), {scheduler_of(progress, *milestones)});
  else
    notes.push_back("no scheduler in the file: the run's schedule is not steps at whole epochs");
  root.add(text("optimizer"),
           {optimizer_of(source, rate_at(progress, milestones.value_or(std::vector<std::int64_t>{})))});
}

}  // namespace

std::vector<std::string> reference_order(const model::ModelOptions& model) {
  std::vector<std::string> names;
  for (const model::StateTensor& tensor : model::state_tensors(model)) names.push_back(tensor.name);
  std::ranges::stable_sort(names, {}, section_of);
  for (auto begin = names.begin(); begin != names.end();) {
    const std::string block = block_of(*begin);
    const auto end =
        std::find_if(begin, names.end(), [&](const std::string& name) { return block_of(name) != block; });
    if (!block.empty())
      std::stable_partition(begin, end, [](const auto& name) { return !of_shortcut(name); });
    begin = end;
  }
  return names;
}

std::vector<model::StateTensor> reference_parameters(const model::ModelOptions& model) {
  std::map<std::string, model::StateTensor> trained;
  for (const model::StateTensor& tensor : model::state_tensors(model))
    if (tensor.trained) trained.emplace(tensor.name, tensor);
  std::vector<model::StateTensor> parameters;
  for (const std::string& name : reference_order(model))
    if (const auto found = trained.find(name); found != trained.end()) parameters.push_back(found->second);
  std::stable_partition(parameters.begin(), parameters.end(), without_decay);
  return parameters;
}

std::vector<std::string> write_reference_checkpoint(const ExportSource& source,
                                                    const std::filesystem::path& path) {
  const TrainedModel& network = source.network;
  std::vector<std::string> notes;
  const std::int64_t steps = source.progress ? source.progress->step : 0;
  Tensor batches(DType::i64, Shape{});
  batches.as<std::int64_t>()[0] = steps;
  Dict weights{{}, Dict::Kind::ordered};
  for (const std::string& name : reference_order(network.model)) {
    weights.add(text(name), {TensorView(network.weights.at(name))});
    constexpr std::string_view last_of_batch_norm = "running_var";
    if (!name.ends_with(last_of_batch_norm)) continue;
    const std::string layer = name.substr(0, name.size() - last_of_batch_norm.size());
    weights.add(text(layer + "num_batches_tracked"), {TensorView(batches)});
  }
  Dict labels;
  labels.add(whole(0), text("background"));
  for (std::size_t i = 0; i < network.categories.size(); ++i)
    labels.add(whole(static_cast<std::int64_t>(i) + 1), text(network.categories[i].name));
  Dict root;
  root.add(text("epoch"), whole(source.progress ? source.progress->epoch : 0));
  root.add(text("iteration"), whole(steps));
  root.add(text("model"), {std::move(weights)});
  root.add(text("label_map"), {std::move(labels)});
  if (source.progress) add_training(root, source, notes);
  if (network.model.stride_in != model::StrideIn::conv3x3)
    notes.push_back("the network's stride is in its 1x1 convolutions, the reference's in the 3x3 ones");
  torch_save::write(path, {std::move(root)});
  return notes;
}

}  // namespace ssd
