// A training step as a graph: images and boxes in, new weights and the loss out.
#pragma once

#include "graph/graph.h"
#include "model/optimizers.h"
#include "model/options.h"

namespace ssd::model {

// Gradient accumulation runs a step as several micro-batches: one `first`, any number of `middle`, one
// `last`, which updates the weights. The parameters "gradient/NAME" carry the sums.
enum class Accumulation { none, first, middle, last };

// How the loss differs from the recipe's (graph::LossAttributes).
struct LossOptions {
  double label_smoothing = 0;  // 0 or more and under 1
  double loc_weight = 1;       // of the boxes' part
  double conf_weight = 1;      // of the classes' part
  bool background = false;     // images without objects count, by their hardest negatives, as many as of one
};

struct TrainingOptions {
  std::int64_t batch = 8;       // N, images a replica
  std::int64_t max_boxes = 64;  // G, ground-truth boxes an image, padded
  OptimizerOptions optimizer;
  LossOptions loss;
  int replicas = 1;
  int batch_norm_group = 1;  // replicas that share batch-norm statistics
  Accumulation accumulation = Accumulation::none;
  bool gradient_squares = false;  // also output "micro_square" and, where the weights change, "step_square"
  bool ema = false;               // also keep the exponential moving average of the trained tensors
  bool inspect = false;           // also output "loc", "conf" and every "gradient/NAME"
};

// Inputs and outputs: those of TrainingInputs and TrainingOutputs (training_program.h), by these names.
// Parameters: weights NAME, "SLOT/NAME" for each of the optimizer's slots, "average/ema/NAME", running
// statistics, default_boxes f32 (D,4) cxcywh. The average takes each step's new weights in: average' = d *
// average + (1 - d) * weight', with d the input "ema_decay".
graph::Graph training_graph(const ModelOptions& model, const TrainingOptions& options);

}  // namespace ssd::model
