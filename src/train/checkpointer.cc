#include "train/checkpointer.h"

#include <string_view>
#include <utility>

#include "base/error.h"
#include "base/finite.h"

namespace ssd {
namespace {

constexpr std::string_view plain_slot = "momentum", plain_average = "running", average_prefix = "average/";
// Training's own weights, where those among a checkpoint's weights are an average of them.
constexpr std::string_view trained_weights = "trained";
constexpr std::int64_t least_steps_apart = 100;

// "NAME/REST" in its two parts; no NAME where there is no slash.
std::pair<std::string, std::string> split_at_slash(const std::string& name) {
  const std::size_t slash = name.find('/');
  if (slash == std::string::npos) return {"", name};
  return {name.substr(0, slash), name.substr(slash + 1)};
}

// Among the averages, what of training's weights inference weights do not have.
void keep_trained(model::State& state) {
  const bool averaged = state.averages.contains(model::ema);
  for (const auto& [name, tensor] : state.weights) {
    const bool statistic = model::is_statistic(name);
    if (!statistic && !averaged) continue;
    state.averages[std::string(statistic ? plain_average : trained_weights)].emplace(name, tensor.clone());
  }
}

}  // namespace

Checkpointer::Checkpointer(CheckpointOptions options, std::int64_t step, InferenceWeights& inference,
                           Callbacks callbacks)
    : options_(std::move(options)),
      inference_(inference),
      callbacks_(std::move(callbacks)),
      last_step_(step) {}

bool Checkpointer::due(const StepSpan& step, Clock::time_point now) const {
  if (options_.interval > 0) return step.step % options_.interval == 0;
  return (step.ends_epoch() && step.step - last_step_ >= least_steps_apart) ||
         std::chrono::duration<double>(now - last_time_).count() >= options_.seconds;
}

std::string_view Checkpointer::write(const RunState& state, model::State tensors, const Moment& moment) {
  if (!not_finite(tensors.weights).empty()) return "weights";
  last_step_ = state.step;
  last_time_ = Clock::now();
  if (options_.run.empty()) return "";
  const bool differ = inference_.differ(tensors), for_inference = moment.last && differ;
  // Re-estimating takes a while, and who asked for the stop may not wait.
  if (!for_inference || (moment.hurry && written_step_ != state.step)) write_files(state, tensors);
  last_is_for_inference_ = moment.last || !differ;
  if (!for_inference) return "";
  const TensorMap& weights = inference_.after(state.step, tensors);
  if (!not_finite(weights).empty()) {  // a resumed run can go on from the averages
    if (written_step_ != state.step) write_files(state, tensors);
    return InferenceWeights::what;
  }
  keep_trained(tensors);
  tensors.weights = clone(weights);
  write_files(state, tensors);
  return "";
}

void Checkpointer::write_files(const RunState& state, const model::State& tensors) {
  const std::filesystem::path folder =
      write_checkpoint(options_.run, state.step, to_checkpoint(tensors, to_json(state)));
  written_step_ = state.step;
  prune();
  if (callbacks_.written) callbacks_.written(folder);
}

// One that stays only takes room, and the next pruning tries again.
void Checkpointer::prune() {
  if (options_.keep <= 0) return;
  try {
    prune_checkpoints(options_.run, static_cast<std::size_t>(options_.keep));
  } catch (const Error& error) {
    if (!warned_ && callbacks_.warning) callbacks_.warning(error.what());
    warned_ = true;
  }
}

void Checkpointer::write_best(const RunState& state, const TensorMap& weights) const {
  if (options_.run.empty()) return;
  write_checkpoint_folder(options_.run / best_folder, {clone(weights), {}, to_json(state)});
}

void Checkpointer::rewrite_state(const RunState& state) const {
  if (options_.run.empty()) return;
  if (const auto latest = latest_checkpoint(options_.run); latest && latest->step == state.step)
    write_checkpoint_state(latest->path, to_json(state));
}

std::string Checkpointer::last_good() const {
  const auto good = options_.run.empty() ? std::nullopt : latest_checkpoint(options_.run);
  return good ? good->path.string() : "none";
}

Checkpoint to_checkpoint(const model::State& state, std::string state_json) {
  Checkpoint checkpoint{clone(state.weights), {}, std::move(state_json)};
  const auto add = [&](const TensorMap& tensors, const std::string& prefix) {
    for (const auto& [name, tensor] : tensors) checkpoint.optimizer.emplace(prefix + name, tensor.clone());
  };
  for (const auto& [slot, tensors] : state.slots) add(tensors, slot == plain_slot ? "" : slot + "/");
  for (const auto& [average, tensors] : state.averages)
    add(tensors, average == plain_average ? "" : std::string(average_prefix) + average + "/");
  return checkpoint;
}

model::State resumable_state(Checkpoint checkpoint) {
  model::State state{.weights = std::move(checkpoint.model), .slots = {}, .averages = {}};
  for (auto& [name, tensor] : checkpoint.optimizer) {
    if (name.starts_with(average_prefix)) {
      const auto [average, of] = split_at_slash(name.substr(average_prefix.size()));
      if (average == trained_weights)
        state.weights.insert_or_assign(of, std::move(tensor));
      else
        state.averages[average].emplace(of, std::move(tensor));
    } else if (const auto [slot, of] = split_at_slash(name); !slot.empty()) {
      state.slots[slot].emplace(of, std::move(tensor));
    } else if (model::is_statistic(name)) {
      state.weights.insert_or_assign(name, std::move(tensor));
    } else {
      state.slots[std::string(plain_slot)].emplace(name, std::move(tensor));
    }
  }
  return state;
}

}  // namespace ssd
