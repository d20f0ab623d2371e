// The options of `singleshot train`, and what the trainer makes of them.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "bench/network_bench.h"
#include "cli/config_file.h"
#include "cli/data_options.h"
#include "cli/device_options.h"
#include "cli/optimisation_options.h"
#include "cli/pretrained.h"
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
  PretrainedOptions pretrained;
  std::string backbone = "resnet50", stride_in = "3x3";
  OptimisationOptions optimisation;
  std::string preset = "auto", config, mode = "training";
  std::vector<int> evaluation;  // empty: by the clock
  int workers = 0;              // 0: what suits the device
  std::string on_bad_image = "replace", augment = "all", order = "shuffled", json_summary;
  std::int64_t log_interval = 20;
  bool resume = false, fake_data = false;
  BenchmarkOptions benchmark;  // of --fake-data
};

void add_train_options(CLI::App& command, TrainOptions& options);

// Throws UsageError for options that would do nothing beside others, or that lack others.
void check_train_options(const CLI::App& command, const TrainOptions& options);

// Gives the command settings of a file or a preset (config_file.h): those that neither it was given nor what
// it was given makes meaningless. Returns them.
std::vector<Setting> settle_train_options(CLI::App& command, const std::vector<Setting>& settings,
                                          const std::string& name);

// The settings of --config but those that --mode, as given or as the file says, has no use for; these are
// told.
std::vector<Setting> config_settings(const CLI::App& command, const TrainOptions& options);

// The preset's settings, for a training set of so many images; those that count are told.
void apply_preset(CLI::App& command, const TrainOptions& options, std::int64_t images);
// With --preset reference, --learning-rate means what it means there.
void read_rate_as_the_reference(TrainOptions& options);

// What a fresh run begins from where nothing was given: published weights that suit the backbone.
void settle_pretrained(CLI::App& command, TrainOptions& options);

// All options that count, to begin such a run again: RUN/config.json.
std::string train_config(const CLI::App& command, const TrainOptions& options);

// Fills in what depends on the data and the device; returns the images of a step. Throws UsageError where
// they are too many.
std::int64_t complete_trainer(TrainOptions& options, const Dataset& dataset, const graph::Device& device);

}  // namespace ssd::cli
