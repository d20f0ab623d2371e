// Where a training run begins.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "data/dataset/dataset.h"
#include "detect/trained_model.h"
#include "train/trainer.h"

namespace ssd {

struct FreshOptions {
  model::ModelOptions model;  // classes are set from the data
  std::uint64_t seed = 0;
  std::filesystem::path backbone;    // pretrained, with torchvision's names; empty: none
  std::filesystem::path checkpoint;  // a whole trained network to begin from; empty: none
  // More than 0: images of a step of a run that goes on where `checkpoint`, of the PyTorch recipe, stands.
  std::int64_t continued_images_per_step = 0;
};

// Step 0; what it begins from is told by `origin`. A checkpoint of the same classes is taken as a whole; of
// other classes (another number, or other names where the checkpoint knows them) all but the convolutions of
// class scores, which are made anew: transfer. A run that goes on takes momentum and position along: the
// first step at or after the checkpoint's epoch. It begins at step 0 where the file tells no position, where
// classes differ; `origin` says so.
TrainingStart fresh_start(const FreshOptions& options, const Dataset& dataset);

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
