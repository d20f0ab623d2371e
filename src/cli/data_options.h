// --data and the paths that override its layout.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "data/dataset/dataset.h"
#include "train/trainer.h"

namespace ssd::cli {

struct DataOptions {
  std::string data;  // a COCO folder, or a record cache
  std::string train_annotations, train_images, val_annotations, val_images;
  std::string background_images = "skip";  // of the training split: images without objects, use or skip
  std::string val_data;                    // a COCO folder, or a record cache of the validation split
};

void add_train_data_options(CLI::App& command, DataOptions& options);
void add_val_data_options(CLI::App& command, DataOptions& options);

// Each split: explicit paths first (the other of a pair is in the folder given), then the folder or cache.
// Validation is looked for in `val_data`, then in `data` if that is a folder: a cache holds one split, and
// `data` is that of training. Both throw UsageError, saying what to pass, where the split is nowhere.
Dataset training_set(const DataOptions& options);
// Every image of the split for the ground truth; the detector looks at all of them.
ValidationSet validation_set(const DataOptions& options);
// The annotation file or record cache that validation_set() reads, for messages.
std::string validation_name(const DataOptions& options);

}  // namespace ssd::cli
