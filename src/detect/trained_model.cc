#include "detect/trained_model.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <chrono>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "base/budgets.h"
#include "base/error.h"
#include "base/finite.h"
#include "data/dataset/coco_classes.h"
#include "detect/json_fields.h"
#include "detect/quantization.h"
#include "model/state.h"
#include "weights/checkpoint.h"
#include "weights/weights.h"

namespace ssd {
namespace {

constexpr std::int64_t most_classes = budget::classes + 1;  // and the background

// Floating-point tensors as f32, without counters.
TensorMap network_weights(TensorMap tensors) {
  TensorMap weights;
  for (auto& [name, tensor] : tensors)
    if (!name.ends_with("num_batches_tracked")) weights.emplace(name, to_f32(tensor));
  return weights;
}

// The classes that a label_map names, in the order of their labels; none where it does not name each of the
// network's.
std::vector<CocoCategory> named_classes(const std::map<std::int64_t, std::string>& labels,
                                        std::int64_t classes) {
  std::vector<std::string> names;
  for (std::int64_t label = 1; label < classes; ++label) {
    const auto found = labels.find(label);
    if (found == labels.end()) return {};
    names.push_back(found->second);
  }
  const bool more = !labels.empty() && labels.rbegin()->first >= classes;
  return more ? std::vector<CocoCategory>{} : categories_of(names);
}

// The folder of a checkpoint, `path` itself or the latest of a run, and the file system's number for it,
// which another folder of its name does not have.
struct CheckpointFolder {
  std::filesystem::path path;
  ino_t number = 0;
  bool operator==(const CheckpointFolder&) const = default;
};

// Nothing where `path` is no folder.
std::optional<CheckpointFolder> checkpoint_folder(const std::filesystem::path& path) {
  if (!std::filesystem::is_directory(path)) return std::nullopt;
  CheckpointFolder folder{path};
  if (!std::filesystem::exists(path / "state.json")) {
    const auto latest = latest_checkpoint(path);
    if (!latest)
      throw Error(
          "{}: no complete checkpoint in this folder; give a run's folder, a checkpoint's folder or a "
          "weights file",
          path.string());
    folder.path = latest->path;
  }
  struct stat status {};
  if (::stat(folder.path.c_str(), &status) == 0) folder.number = status.st_ino;
  return folder;
}

TrainedModel read_checkpoint_model(const std::filesystem::path& folder) {
  const Checkpoint checkpoint = read_checkpoint(folder);
  const NetworkDescription network = parse_network(checkpoint.state_json, (folder / "state.json").string());
  TrainedModel result;
  result.model = network.model;
  result.knows_stride = result.knows_names = true;
  result.categories = network.categories;
  for (const auto& [name, tensor] : checkpoint.model) result.weights.emplace(name, tensor.clone());
  model::check_weights(result.model, result.weights);
  check_finite(result.weights, (folder / "model.safetensors").string());
  if (!checkpoint.quantization_json.empty())
    result.model.activation_scales = parse_quantization(checkpoint.quantization_json, result.model,
                                                        (folder / "quantization.json").string())
                                         .activation_scales;
  return result;
}

// What our own exports say of their network beside the tensors ("class.1", "stride_in"): as a label_map does,
// and where the stride is.
void take_metadata(const NetworkWeights& file, const std::string& name, TrainedModel& result,
                   std::map<std::int64_t, std::string>& labels) {
  for (std::int64_t label = 1; label < result.model.classes; ++label) {
    const auto found = file.metadata.find(fmt::format("class.{}", label));
    if (found != file.metadata.end()) labels.emplace(label, found->second);
  }
  const auto stride = file.metadata.find("stride_in");
  if (stride == file.metadata.end()) return;
  try {
    result.model.stride_in = model::stride_in_named(stride->second);
  } catch (const Error& error) {
    throw Error("{}: metadata: {}", name, error.what());
  }
  result.knows_stride = true;
}

// A run that goes on replaces and removes checkpoints, also the one that is just being read; then there is a
// newer one. A folder with neither is looked at again, for its list may have been read in between.
std::optional<TrainedModel> read_from_folder(const std::filesystem::path& path) {
  constexpr int attempts = 5;
  constexpr std::chrono::milliseconds pause{20};
  for (int attempt = 1;; ++attempt) {
    std::optional<CheckpointFolder> folder;
    try {
      folder = checkpoint_folder(path);
      if (!folder) return std::nullopt;
      return read_checkpoint_model(folder->path);
    } catch (const Error&) {
      if (attempt == attempts || !std::filesystem::exists(path / "checkpoints")) throw;
      if (folder && checkpoint_folder(path) == folder) throw;
      std::this_thread::sleep_for(pause);
    }
  }
}

}  // namespace

NetworkDescription parse_network(const std::string& state_json, const std::string& name) {
  try {
    const nlohmann::json root = parse_json(state_json);
    NetworkDescription result;
    const nlohmann::json& network = object_field(root, "model");
    result.model.backbone = model::backbone_named(text_field(network, "backbone"));
    result.model.stride_in = model::stride_in_named(text_field(network, "stride_in"));
    result.model.classes = whole_field(network, "classes", {2, most_classes});
    result.categories = categories_field(root, "categories");
    if (static_cast<std::int64_t>(result.categories.size()) + 1 != result.model.classes)
      throw Error(
          "got {} categories, expected {}: one for each of the network's {} classes but the background",
          result.categories.size(), result.model.classes - 1, result.model.classes);
    return result;
  } catch (const Error& error) {
    throw Error("{}: not a checkpoint's state: {}; take another checkpoint", name, error.what());
  }
}

model::ModelOptions recognise_model(const TensorMap& weights, const std::string& name) {
  for (const model::Backbone backbone :
       {model::Backbone::resnet18, model::Backbone::resnet34, model::Backbone::resnet50,
        model::Backbone::resnet101, model::Backbone::resnet152}) {
    model::ModelOptions options{.backbone = backbone};
    const auto bias = weights.find("conf.0.bias");
    if (bias == weights.end()) break;
    options.classes = bias->second.elements() / 4;  // the first level has four default boxes a cell
    try {
      model::check_weights(options, weights);
      return options;
    } catch (const Error&) {
      // Another backbone, then.
    }
  }
  throw Error("{}: not the weights of an SSD300 v1.1 with a ResNet backbone (18, 34, 50, 101 or 152)", name);
}

TrainedModel read_model(const std::filesystem::path& path) {
  if (auto found = read_from_folder(path)) return std::move(*found);
  TrainedModel result;
  NetworkWeights file = read_network_weights(path);
  result.weights = network_weights(std::move(file.tensors));
  result.model = recognise_model(result.weights, path.string());
  check_finite(result.weights, path.string());
  if (!file.note.empty()) result.note = "found " + file.note;
  take_metadata(file, path.string(), result, file.labels);
  result.categories = named_classes(file.labels, result.model.classes);
  result.knows_names = !result.categories.empty();
  if (result.knows_names) return result;
  if (!file.labels.empty())
    result.note += fmt::format("{}its label_map does not name each of {} classes, so they are numbered",
                               result.note.empty() ? "" : "; ", result.model.classes - 1);
  for (std::int64_t label = 1; label < result.model.classes; ++label)
    result.categories.push_back({label, fmt::format("class {}", label)});
  return result;
}

}  // namespace ssd
