// --data and the paths that override its layout.
#pragma once

#include <CLI/CLI.hpp>
#include <cstddef>
#include <string>
#include <string_view>

#include "data/dataset/dataset.h"
#include "train/trainer.h"

namespace ssd::cli {

struct DataOptions {
  std::string data;  // a folder of any kind that DataFolder knows, or a record cache
  std::string train_annotations, train_images, val_annotations, val_images;
  std::string background_images = "skip";  // of the training split: images without objects, use or skip
  std::string val_data;                    // the same as `data`, of the validation split
  bool strict = false;                     // stop at what would be left out
};

void add_train_data_options(CLI::App& command, DataOptions& options);
void add_val_data_options(CLI::App& command, DataOptions& options);
void add_strict_option(CLI::App& command, bool& strict);

// Each split: explicit paths first (the other of a pair is in the folder given), then the folder or cache.
// Validation is looked for in `val_data`, then in `data` if that is a folder: a cache holds one split, and
// `data` is that of training. What the folder was taken for, helped and left out is told. Both throw
// UsageError, saying what to pass, where the split is nowhere.
Dataset training_set(const DataOptions& options);
// Every image of the split for the ground truth; the detector looks at all of them.
ValidationSet validation_set(const DataOptions& options);
// The annotation file or record cache that validation_set() reads, for messages.
std::string validation_name(const DataOptions& options);

// Tells what else lies in the folders read, once all splits that a command needs were read.
void tell_unused_files();

}  // namespace ssd::cli
