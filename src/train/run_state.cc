#include "train/run_state.h"

#include <nlohmann/json.hpp>

#include "base/error.h"

namespace ssd {
namespace {

constexpr int format_version = 1;

}  // namespace

std::string to_json(const RunState& state) {
  nlohmann::ordered_json categories = nlohmann::ordered_json::array();
  for (const CocoCategory& category : state.categories)
    categories.push_back({{"id", category.id}, {"name", category.name}});
  const nlohmann::ordered_json json{
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
      {"options", state.options},
      {"categories", std::move(categories)}};
  return json.dump(1) + "\n";
}

RunState parse_run_state(const std::string& json, const std::string& name) {
  try {
    const auto root = nlohmann::json::parse(json);
    if (const int version = root.at("format"); version != format_version)
      throw Error("got format {}, expected {}; this checkpoint is of another version", version,
                  format_version);
    RunState state;
    const auto& network = root.at("model");
    state.model.backbone = model::backbone_named(network.at("backbone").get<std::string>());
    state.model.stride_in = model::stride_in_named(network.at("stride_in").get<std::string>());
    state.model.classes = network.at("classes");
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
    if (root.contains("options")) root.at("options").get_to(state.options);
    for (const auto& category : root.at("categories"))
      state.categories.push_back({category.at("id"), category.at("name")});
    return state;
  } catch (const nlohmann::json::exception& error) {
    throw Error("{}: not a checkpoint's state: {}", name, error.what());
  } catch (const Error& error) {  // a name of the network
    throw Error("{}: {}", name, error.what());
  }
}

}  // namespace ssd
