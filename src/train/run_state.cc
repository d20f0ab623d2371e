#include "train/run_state.h"

#include <limits>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/one_line.h"
#include "detect/json_fields.h"
#include "detect/trained_model.h"

namespace ssd {
namespace {

constexpr int format_version = 1;

// Of a run whose steps are all alike.
PaceState steady(std::int64_t step) { return {static_cast<double>(step), {}}; }

// Wider than any run, so that sums and products of what is read stay numbers.
constexpr std::int64_t most_steps = 1'000'000'000'000, most_epochs = 1'000'000'000;
constexpr std::int64_t most_images = 1'000'000'000;  // of a data set, and of a step
constexpr double most_progress = 1e15;
constexpr NumberRange finite{std::numeric_limits<double>::lowest(), std::numeric_limits<double>::max()};

PaceState pace_of(const nlohmann::json& json) {
  return {number_field(json, "progress", {0, most_progress}),
          {number_field(json, "variance", finite), number_field(json, "mean_square", finite)}};
}

// Of evaluations up to the state's step.
RunState::Best best_of(const nlohmann::json& json, const RunState& state) {
  return {.average_precision = number_field(json, "AP", {-1, 1}),
          .average_precision_50 = number_field(json, "AP50", {-1, 1}),
          .step = whole_field(json, "step", {0, state.step}),
          .epoch = static_cast<std::uint32_t>(whole_field(json, "epoch", {0, state.epoch})),
          .evaluations_since = static_cast<int>(whole_field(json, "evaluations_since", {0, most_epochs}))};
}

RunState::Options options_of(const nlohmann::json& json) {
  RunState::Options options;
  for (const auto& [option, value] : json.items()) options.emplace(option, text_field(json, option.c_str()));
  return options;
}

// Where the run stands: every number in its range, and in that of those before it.
void read_position(const nlohmann::json& root, RunState& state) {
  state.samples = static_cast<std::uint64_t>(whole_field(root, "samples", {1, most_images}));
  state.images_per_step = whole_field(root, "images_per_step", {1, most_images});
  state.step = whole_field(root, "step", {0, most_steps});
  state.epoch = static_cast<std::uint32_t>(whole_field(root, "epoch", {0, most_epochs}));
  state.sample = static_cast<std::uint64_t>(
      whole_field(root, "sample", {0, static_cast<std::int64_t>(state.samples) - 1}));
  state.seed = unsigned_field(root, "seed");
  const std::uint64_t images = state.epoch * state.samples + state.sample;
  if (images < static_cast<std::uint64_t>(state.step) || (state.step == 0 && images > 0))
    throw Error("\"step\": got {} after {} images, expected no more steps than images and none without",
                state.step, images);
}

}  // namespace

std::string to_json(const RunState& state) {
  nlohmann::ordered_json json{
      {"format", format_version},
      {"model",
       {{"backbone", model::name_of(state.model.backbone)},
        {"stride_in", model::name_of(state.model.stride_in)},
        {"classes", state.model.classes}}},
      {"step", state.step},
      {"epoch", state.epoch},
      {"sample", state.sample},
      {"seed", state.seed},
      {"images_per_step", state.images_per_step},
      {"samples", state.samples},
      {"data", {{"samples", state.data.samples}, {"images", state.data.images}}},
      {"owed_evaluation", state.owed_evaluation ? nlohmann::ordered_json(*state.owed_evaluation) : nullptr},
      {"options", state.options},
      {"categories", categories_json(state.categories)}};
  if (state.pace != steady(state.step))
    json["pace"] = {{"progress", state.pace.progress},
                    {"variance", state.pace.adascale.variance},
                    {"mean_square", state.pace.adascale.mean_square}};
  if (state.best)
    json["best"] = {{"AP", state.best->average_precision},
                    {"AP50", state.best->average_precision_50},
                    {"step", state.best->step},
                    {"epoch", state.best->epoch},
                    {"evaluations_since", state.best->evaluations_since}};
  return visible_json(json.dump(1, ' ', false, nlohmann::ordered_json::error_handler_t::replace)) + "\n";
}

RunState parse_run_state(const std::string& json, const std::string& name) {
  RunState state;
  NetworkDescription network = parse_network(json, name);
  state.model = network.model;
  state.categories = std::move(network.categories);
  try {
    const nlohmann::json root = parse_json(json);
    if (const std::int64_t version = whole_field(root, "format", {0, most_steps}); version != format_version)
      throw Error("got format {}, expected {}: it is of another version", version, format_version);
    read_position(root, state);
    if (root.contains("data")) {
      const nlohmann::json& data = object_field(root, "data");
      state.data.samples = text_field(data, "samples");
      state.data.images =
          text_field(data, data.contains("images") ? "images" : "pictures");  // its older name
    }
    state.tells_owed_evaluation = root.contains("owed_evaluation");
    if (state.tells_owed_evaluation && !root.at("owed_evaluation").is_null())
      state.owed_evaluation =
          static_cast<std::uint32_t>(whole_field(root, "owed_evaluation", {0, state.epoch}));
    state.pace = steady(state.step);
    if (root.contains("pace")) state.pace = pace_of(object_field(root, "pace"));
    if (root.contains("best")) state.best = best_of(object_field(root, "best"), state);
    if (root.contains("options")) state.options = options_of(object_field(root, "options"));
    return state;
  } catch (const Error& error) {
    throw Error("{}: not a checkpoint's state: {}; take another checkpoint", name, error.what());
  }
}

}  // namespace ssd
