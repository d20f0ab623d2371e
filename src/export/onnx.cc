#include "export/onnx.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "boxes/ssd300.h"
#include "detect/json_fields.h"
#include "export/onnx_detections.h"
#include "export/onnx_model.h"
#include "export/onnx_network.h"
#include "model/ssd300.h"
#include "model/state.h"

namespace ssd {
namespace {

std::string text(const nlohmann::ordered_json& value) {
  return value.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

std::map<std::string, std::string> metadata_of(const ExportSource& source, const ExportOptions& options) {
  const TrainedModel& network = source.network;
  nlohmann::ordered_json classes = nlohmann::ordered_json::array();
  for (std::size_t i = 0; i < network.categories.size(); ++i)
    classes.push_back(
        {{"label", i + 1}, {"id", id_json(network.categories[i])}, {"name", network.categories[i].name}});
  std::map<std::string, std::string> metadata{
      {"backbone", std::string(model::name_of(network.model.backbone))},
      {"stride_in", std::string(model::name_of(network.model.stride_in))},
      {"classes", text(classes)},
      {"input", options.input == ExportOptions::Input::u8_nhwc ? "u8-nhwc" : "f32-nchw"},
      {"input_size", std::to_string(image_size)},
      {"colours", "RGB"},
      {"mean", text(pixel_mean)},
      {"std", text(pixel_deviation)},
      {"weights_sha256", source.sha256}};
  if (options.postprocess == ExportOptions::Postprocess::nms) {
    metadata.emplace("score", fmt::format("{}", options.detector.score));
    metadata.emplace("iou", fmt::format("{}", options.detector.iou));
  }
  return metadata;
}

}  // namespace

std::vector<std::string> write_onnx(const ExportSource& source, const ExportOptions& options,
                                    const std::filesystem::path& path) {
  const model::ModelOptions& network = source.network.model;
  onnx::Model model;
  const onnx::NetworkValues values =
      onnx::append_network(model, model::inference_graph(network, options.batch.value_or(1)),
                           model::inference_parameters(network, source.network.weights), options);
  onnx::append_outputs(model, values, network.classes, options);
  model.write(path, source.version, metadata_of(source, options));
  return {};
}

}  // namespace ssd
