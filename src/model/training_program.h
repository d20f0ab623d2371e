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
  Tensor loss;       // f32 (): mean over all images
  Tensor loc_loss;   // f32 (N): sums, not yet divided by the positives
  Tensor conf_loss;  // f32 (N): likewise
  Tensor positives;  // i32 (N): default boxes matched
  // Where TrainingOptions::gradient_squares asked for them, sums of the squares of all elements, f32 ():
  Tensor micro_square;  // of a replica's gradient of this micro-batch times loss_scale; replicas' mean
  Tensor step_square;   // of the step's gradient (after a step's last micro-batch)
  TensorMap inspected;  // "loc", "conf", "gradient/NAME" where TrainingOptions::inspect asked for them
};

class TrainingProgram {
 public:
  // `accumulation` for steps of any number of micro-batches.
  static constexpr int varying = 0;

  // Steps of `accumulation` micro-batches of options.batch images a replica; options.accumulation is not
  // looked at. Throws Error where the device cannot compile them.
  TrainingProgram(graph::Device& device, const ModelOptions& model, const TrainingOptions& options,
                  int accumulation = 1);

  // Slots that `state` lacks start from zero, an average of the weights from the weights. Throws Error where
  // a tensor is missing or has another shape.
  void load(const State& state);
  // Waits for what is in flight.
  State save();

  // Starts micro-batch `micro` (0 .. of - 1) of a step of `of`, the accumulation if that does not vary.
  void start(int micro, int of, const TrainingInputs& inputs);
  // The oldest one in flight, waited for.
  TrainingOutputs finish();
  // How many may be in flight to keep the device busy.
  int depth() const { return program_->depth(); }
  // What runs the steps, for profiles and traces of it.
  graph::Program& program() { return *program_; }

 private:
  ModelOptions model_;
  const Optimizer& optimizer_;
  bool ema_;
  std::vector<Accumulation> parts_;   // of each graph
  std::vector<std::string> inputs_;   // names, in the graphs' order
  std::vector<std::string> outputs_;  // likewise, of a graph that updates; others' are the first of them
  TensorMap frozen_;                  // the weights that no graph gives back
  TensorMap sums_;                    // zeros for the parameters that carry gradients
  std::unique_ptr<graph::Program> program_;
};

}  // namespace ssd::model
