// A training step on a device: its graphs, compiled, with named inputs, outputs and state.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/tensor.h"
#include "graph/device.h"
#include "model/state.h"
#include "model/training_graph.h"

namespace ssd::model {

// What one micro-batch is fed, of all replicas together (N images). The elements must stay valid and
// unchanged until it is finished.
struct TrainingInputs {
  TensorView images;         // u8 (N,300,300,3) RGB
  TensorView match;          // i32 (N,D): index into the image's boxes, or -1
  TensorView boxes;          // f32 (N,G,4) cxcywh, normalized coordinates
  TensorView labels;         // i32 (N,G) in 1..K-1
  TensorView learning_rate;  // f32 ()
  TensorView loss_scale;     // f32 (): multiplies the gradients (1 / number of micro-batches)
  TensorView step;           // f32 (): number of the step, counted from 1
  TensorView ema_decay;      // f32 (): how much of the weights' average stays
};

struct TrainingOutputs {
  Tensor loss;          // f32 (): mean over all images
  Tensor loc_loss;      // f32 (N): sums, not yet divided by the positives
  Tensor conf_loss;     // f32 (N): likewise
  Tensor positives;     // i32 (N): default boxes matched
  TensorMap inspected;  // "loc", "conf", "gradient/NAME" where TrainingOptions::inspect asked for them
};

class TrainingProgram {
 public:
  // Steps of `accumulation` micro-batches of options.batch images a replica; options.accumulation is not
  // looked at. Throws Error where the device cannot compile them.
  TrainingProgram(graph::Device& device, const ModelOptions& model, const TrainingOptions& options,
                  int accumulation = 1);

  // Slots that `state` lacks start from zero, an average of the weights from the weights. Throws Error where
  // a tensor is missing or has another shape.
  void load(const State& state);
  // Waits for what is in flight.
  State save();

  // Starts micro-batch `micro` (0 .. accumulation - 1) of a step.
  void start(int micro, const TrainingInputs& inputs);
  // The oldest one in flight, waited for.
  TrainingOutputs finish();
  // How many may be in flight to keep the device busy.
  int depth() const { return program_->depth(); }

 private:
  ModelOptions model_;
  const Optimizer& optimizer_;
  int accumulation_;
  bool ema_;
  std::vector<std::string> inputs_, outputs_;  // names, in the graphs' order
  TensorMap sums_;                             // zeros for the parameters that carry gradients
  std::unique_ptr<graph::Program> program_;
};

}  // namespace ssd::model
