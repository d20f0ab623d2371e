#include "detect/quantization.h"

#include <cstddef>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/error.h"
#include "base/one_line.h"
#include "detect/json_fields.h"
#include "model/ssd300.h"
#include "weights/checkpoint.h"

namespace ssd {
namespace {

constexpr std::int64_t format_version = 1;
constexpr std::int64_t most_images = std::int64_t{1} << 40;
constexpr NumberRange scale_range{1e-12, 1e12};

std::string visible(const nlohmann::ordered_json& json) {
  return visible_json(json.dump(1, ' ', false, nlohmann::ordered_json::error_handler_t::replace)) + "\n";
}

// What read_model() asks of a state.json.
std::string state_of(const TrainedModel& trained) {
  return visible({{"model",
                   {{"backbone", model::name_of(trained.model.backbone)},
                    {"stride_in", model::name_of(trained.model.stride_in)},
                    {"classes", trained.model.classes}}},
                  {"categories", categories_json(trained.categories)}});
}

}  // namespace

std::string to_json(const Quantization& quantization) {
  nlohmann::ordered_json scales;
  for (const auto& [name, scale] : quantization.activation_scales) scales[name] = scale;
  return visible({{"format", format_version},
                  {"images", quantization.images},
                  {"activation_scales", std::move(scales)}});
}

Quantization parse_quantization(const std::string& json, const model::ModelOptions& model,
                                const std::string& name) try {
  const nlohmann::json root = parse_json(json);
  if (const auto version = whole_field(root, "format", {1, INT32_MAX}); version != format_version)
    throw Error("got format {}, expected {}: it is of another version", version, format_version);
  Quantization result{.activation_scales = {}, .images = whole_field(root, "images", {1, most_images})};
  const nlohmann::json& scales = object_field(root, "activation_scales");
  const std::vector<std::string> expected = model::rounded_activations(model);
  for (const std::string& activation : expected)
    result.activation_scales[activation] = number_field(scales, activation.c_str(), scale_range);
  if (scales.size() != expected.size())
    throw Error("\"activation_scales\": got {}, expected the {} of a {}", scales.size(), expected.size(),
                model::name_of(model.backbone));
  return result;
} catch (const Error& error) {
  throw Error("{}: not the quantization of its network: {}; quantise it again", name, error.what());
}

void write_quantised_model(const std::filesystem::path& path, const TrainedModel& trained,
                           const Quantization& quantization) {
  Checkpoint checkpoint{.model = {},
                        .optimizer = {},
                        .state_json = state_of(trained),
                        .quantization_json = to_json(quantization)};
  for (const auto& [name, tensor] : trained.weights) checkpoint.model.emplace(name, tensor.clone());
  write_checkpoint_folder(path, checkpoint);
}

}  // namespace ssd
