// The options of `singleshot train`, and what the trainer makes of them.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "bench/network_bench.h"
#include "cli/data_options.h"
#include "cli/device_options.h"
#include "data/dataset/dataset.h"
#include "graph/device.h"
#include "train/start.h"
#include "train/trainer.h"

namespace ssd::cli {

// As given; complete_trainer() fills in of `trainer` and `fresh` what other members say.
struct TrainOptions {
  DataOptions data;
  DeviceOptions device;
  TrainerOptions trainer;
  FreshOptions fresh;
  std::string backbone = "resnet50", stride_in = "3x3";
  int epochs = 65;
  double learning_rate = 0;  // 0: the recipe's
  std::vector<double> multistep{43, 54};
  std::vector<int> evaluation{21, 31, 37, 42, 48, 53, 59, 64};
  int workers = 0;  // 0: what suits the device
  std::string on_bad_image = "replace", augment = "all", order = "shuffled", json_summary;
  std::int64_t log_interval = 20;
  bool resume = false, fake_data = false;
  BenchmarkOptions benchmark;  // of --fake-data
};

void add_train_options(CLI::App& command, TrainOptions& options);

// Throws UsageError for options that would do nothing beside others, or that lack others.
void check_train_options(const CLI::App& command, const TrainOptions& options);

// Fills in what depends on the data and the device; returns the images of a step. Throws UsageError where
// they are too many.
std::int64_t complete_trainer(TrainOptions& options, const Dataset& dataset, const graph::Device& device);

}  // namespace ssd::cli
