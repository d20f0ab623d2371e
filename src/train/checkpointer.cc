#include "train/checkpointer.h"

#include <string_view>
#include <utility>

namespace ssd {
namespace {

constexpr std::string_view plain_slot = "momentum", plain_average = "running", average_prefix = "average/";
constexpr std::int64_t least_steps_apart = 100;

// "NAME/REST" in its two parts; no NAME where there is no slash.
std::pair<std::string, std::string> split_at_slash(const std::string& name) {
  const std::size_t slash = name.find('/');
  if (slash == std::string::npos) return {"", name};
  return {name.substr(0, slash), name.substr(slash + 1)};
}

}  // namespace

Checkpointer::Checkpointer(CheckpointOptions options, std::int64_t step,
                           std::function<void(std::int64_t, const std::filesystem::path&)> written)
    : options_(std::move(options)),
      written_(std::move(written)),
      last_step_(step),
      last_time_(Clock::now()) {}

bool Checkpointer::due(const StepSpan& step, Clock::time_point now) const {
  if (options_.interval > 0) return step.step % options_.interval == 0;
  return (step.ends_epoch() && step.step - last_step_ >= least_steps_apart) ||
         std::chrono::duration<double>(now - last_time_).count() >= options_.seconds;
}

void Checkpointer::write(const RunState& state, const model::State& tensors, bool for_inference,
                         Clock::time_point now) {
  last_step_ = state.step;
  last_time_ = now;
  last_is_for_inference_ = for_inference;
  if (options_.run.empty()) return;
  const std::filesystem::path folder =
      write_checkpoint(options_.run, state.step, to_checkpoint(tensors, to_json(state)));
  written_step_ = state.step;
  if (options_.keep > 0) prune_checkpoints(options_.run, static_cast<std::size_t>(options_.keep));
  if (written_) written_(state.step, folder);
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
