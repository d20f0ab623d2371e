// --data and the paths that override its layout.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "data/dataset.h"
#include "train/trainer.h"

namespace ssd::cli {

struct DataOptions {
  std::string data;  // a COCO folder, or a record cache
  std::string train_annotations, train_images, val_annotations, val_images;
  std::string val_data;  // a record cache of the validation split; empty: in `data`
};

void add_train_data_options(CLI::App& command, DataOptions& options);
void add_val_data_options(CLI::App& command, DataOptions& options);

Dataset training_set(const DataOptions& options);
// Every image of the split for the ground truth; the detector looks at all of them.
ValidationSet validation_set(const DataOptions& options);

}  // namespace ssd::cli
