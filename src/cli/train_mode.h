// `train --mode`: what the reference's script does beside training.
#pragma once

#include <string>
#include <vector>

#include "cli/train_options.h"

namespace ssd::cli {

inline const std::vector<std::string> train_modes{"training", "evaluation", "benchmark-training",
                                                  "benchmark-inference"};

// --mode evaluation: COCO's numbers of --checkpoint on the validation set.
void run_evaluation_mode(const TrainOptions& options);

// --mode benchmark-inference: images a second from files to detections, over --benchmark-iterations batches
// of the validation set after --benchmark-warmup; of --checkpoint, or of fresh weights.
void run_inference_mode(const TrainOptions& options);

// --mode benchmark-training: as many steps of a real training, without evaluations and checkpoints.
void shorten_to_benchmark(TrainOptions& options);

}  // namespace ssd::cli
