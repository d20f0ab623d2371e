// The options of `singleshot train` that say how long, how fast and by which rule the network learns.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "cli/given.h"
#include "train/run_state.h"
#include "train/trainer.h"

namespace ssd::cli {

struct OptimisationOptions {
  int epochs = 65;
  std::int64_t iterations = 0;     // 0: as many as the epochs have
  double learning_rate = 0;        // of a step as it is; 0: rate_per_32 says
  double rate_per_32 = 0;          // for every 32 images of a step; 0: the optimizer's own
  std::string lr_rule = "linear";  // how the rate grows with a step's images
  std::string batch_trace;         // file; empty: all steps are alike
  std::string schedule = "multistep";
  double warmup = 0, warmup_epochs = 0;
  std::vector<double> multistep{43, 54};
};

// All but the seed go to `options` and to the step's, the optimizer's and the average's of `trainer`.
void add_optimisation_options(CLI::App& command, OptimisationOptions& options, TrainerOptions& trainer);

// Those of them that would do nothing beside others.
std::vector<InertOptions> inert_optimisation_options(const CLI::App& command,
                                                     const OptimisationOptions& options,
                                                     const TrainerOptions& trainer);

struct TrainingSize {
  std::int64_t samples = 0;  // of an epoch
  std::int64_t images_per_step = 0;
  int replicas = 1;
};

// Fills in the trainer's pace. Throws UsageError where a number is out of range, and Error for a trace that
// cannot be read.
void complete_pace(const OptimisationOptions& options, const TrainingSize& size, TrainerOptions& trainer);

// What a checkpoint keeps of these options, by name.
RunState::Options recorded_optimisation(const OptimisationOptions& options, const TrainerOptions& trainer);

}  // namespace ssd::cli
