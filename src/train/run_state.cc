#include "train/run_state.h"

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "detect/trained_model.h"

namespace ssd {
namespace {

constexpr int format_version = 1;

// Of a run whose steps are all alike.
PaceState steady(std::int64_t step) { return {static_cast<double>(step), {}}; }

PaceState pace_of(const nlohmann::json& json) {
  return {json.at("progress"), {json.at("variance"), json.at("mean_square")}};
}

RunState::Best best_of(const nlohmann::json& json) {
  return {.average_precision = json.at("AP"),
          .average_precision_50 = json.at("AP50"),
          .step = json.at("step"),
          .epoch = json.at("epoch"),
          .evaluations_since = json.at("evaluations_since")};
}

}  // namespace

std::string to_json(const RunState& state) {
  nlohmann::ordered_json categories = nlohmann::ordered_json::array();
  for (const CocoCategory& category : state.categories)
    categories.push_back({{"id", category.id}, {"name", category.name}});
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
      {"categories", std::move(categories)}};
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
  return json.dump(1) + "\n";
}

RunState parse_run_state(const std::string& json, const std::string& name) {
  try {
    const auto root = nlohmann::json::parse(json);
    if (const int version = root.at("format"); version != format_version)
      throw Error("{}: got format {}, expected {}; this checkpoint is of another version", name, version,
                  format_version);
    RunState state;
    NetworkDescription network = parse_network(json, name);
    state.model = network.model;
    state.categories = std::move(network.categories);
    root.at("step").get_to(state.step);
    root.at("epoch").get_to(state.epoch);
    root.at("sample").get_to(state.sample);
    root.at("seed").get_to(state.seed);
    root.at("images_per_step").get_to(state.images_per_step);
    root.at("samples").get_to(state.samples);
    if (root.contains("data")) {
      const auto& data = root.at("data");
      data.at("samples").get_to(state.data.samples);
      data.at(data.contains("images") ? "images" : "pictures").get_to(state.data.images);  // its older name
    }
    state.tells_owed_evaluation = root.contains("owed_evaluation");
    if (state.tells_owed_evaluation && !root.at("owed_evaluation").is_null())
      state.owed_evaluation = root.at("owed_evaluation").get<std::uint32_t>();
    state.pace = steady(state.step);
    if (root.contains("pace")) state.pace = pace_of(root.at("pace"));
    if (root.contains("best")) state.best = best_of(root.at("best"));
    if (root.contains("options")) root.at("options").get_to(state.options);
    return state;
  } catch (const nlohmann::json::exception& error) {
    throw Error("{}: not a checkpoint's state: {}", name, error.what());
  }
}

}  // namespace ssd
