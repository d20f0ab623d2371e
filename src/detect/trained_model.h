// A trained network, from a checkpoint or a weights file.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/tensor.h"
#include "data/dataset/coco.h"
#include "model/options.h"

namespace ssd {

// What state.json says of a checkpoint's network.
struct NetworkDescription {
  model::ModelOptions model;             // precision is a choice of each run and not kept
  std::vector<CocoCategory> categories;  // label 1 is categories[0], and so on
};

// Of the text of a state.json; other fields are passed over. Throws Error, with `name` in front, for text
// that is not such a state.
NetworkDescription parse_network(const std::string& state_json, const std::string& name);

// Weights with the network and the classes they belong to.
struct TrainedModel {
  model::ModelOptions model;
  bool knows_stride = false;  // whether model.stride_in was recorded; tensors do not tell
  std::vector<CocoCategory> categories;
  bool knows_names = false;  // whether the categories were recorded; they are numbered where not
  TensorMap weights;
  std::string note;  // what was done to find them in a file of another program, one line; empty: nothing
};

// Reads a checkpoint folder, also of a quantised network, or a run's folder (its latest checkpoint), or a
// file of the reference (.pt) or of safetensors, whose backbone and number of classes are told from its
// tensors. The categories of a .pt are those of its label_map, with COCO's ids where they are COCO's classes;
// without one they are numbered. Of a safetensors file they are those that our own exports name in its
// metadata, with the stride's place.
TrainedModel read_model(const std::filesystem::path& path);

// The backbone and the number of classes of a state_dict. The stride's place cannot be told. Throws Error,
// with `name` in front, when it is none of SSD300 v1.1.
model::ModelOptions recognise_model(const TensorMap& weights, const std::string& name);

}  // namespace ssd
