// Where a training run begins, and what a trained network is made of.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "data/dataset.h"
#include "train/trainer.h"

namespace ssd {

// Weights with the network and the classes they belong to.
struct TrainedModel {
  model::ModelOptions model;
  std::vector<CocoCategory> categories;
  TensorMap weights;
};

// Reads a checkpoint folder, or a run's folder (its latest checkpoint), or a file of the reference (.pt) or
// of safetensors, whose backbone and number of classes are told from its tensors and whose categories are
// numbered.
TrainedModel read_model(const std::filesystem::path& path);

// The backbone and the number of classes of a state_dict. The stride's place cannot be told. Throws Error,
// with `name` in front, when it is none of SSD300 v1.1.
model::ModelOptions recognise_model(const TensorMap& weights, const std::string& name);

struct FreshOptions {
  model::ModelOptions model;  // classes are set from the data
  std::uint64_t seed = 0;
  std::filesystem::path backbone;    // pretrained, with torchvision's names; empty: none
  std::filesystem::path checkpoint;  // a whole trained network to begin from; empty: none
};

// Step 0. From `checkpoint` every tensor is taken whose shape fits; `left_fresh` says how many were not (the
// class scores, when the number of classes differs).
TrainingStart fresh_start(const FreshOptions& options, const Dataset& dataset, int& left_fresh);

// The latest checkpoint of a run; none when it has none. Throws Error when the data set or the number of
// images a step is not the one the run was made with.
std::optional<TrainingStart> resumed_start(const std::filesystem::path& run, const Dataset& dataset,
                                           std::int64_t images_per_step);

}  // namespace ssd
