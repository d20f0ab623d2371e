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
  bool knows_stride = false;  // whether model.stride_in was recorded; tensors do not tell
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

// What a resumed run is asked to be.
struct ResumeOptions {
  model::ModelOptions model;
  std::uint64_t seed = 0;
  std::int64_t images_per_step = 0;
  RunState::Options options;
};

// The latest checkpoint of a run; none when it has none. Throws Error when data set, network, seed, images a
// step, or the order and augmentation of images are not those the run was made with: it could not go on
// with the next batch. Other options may change; `changed` gets a line on each.
std::optional<TrainingStart> resumed_start(const std::filesystem::path& run, const Dataset& dataset,
                                           const ResumeOptions& asked, std::vector<std::string>& changed);

}  // namespace ssd
