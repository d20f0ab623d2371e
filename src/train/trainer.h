// The training loop: batches in, checkpoints and a log out.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <string>

#include "base/communicator.h"
#include "data/dataset/dataset.h"
#include "data/loader/loader.h"
#include "graph/device.h"
#include "model/optimizers.h"
#include "model/state.h"
#include "model/training_graph.h"
#include "train/checkpointer.h"
#include "train/evaluator.h"
#include "train/pace.h"
#include "train/run_state.h"
#include "train/speed_meter.h"
#include "train/step_pipeline.h"

namespace ssd {

// How training images are prepared.
struct TrainingDataOptions {
  int threads = 1;
  AugmentOptions augment;
  SampleOrder order = SampleOrder::shuffled;
  LoaderOptions::BadImages bad_images = LoaderOptions::BadImages::replace;
};

// What a step is made of.
struct StepOptions {
  DType compute = DType::f32;  // of the convolutions
  std::int64_t batch = 32;     // images of a micro-batch a replica
  int accumulation = 1;        // micro-batches
  int batch_norm_group = 1;    // replicas that share batch-norm statistics
  int frozen_stages = 0;       // model::ModelOptions; the same in all of a run

  // Of a step, over all devices of all processes.
  std::int64_t images(std::int64_t devices) const { return batch * accumulation * devices; }
};

struct EvaluationOptions {
  // Counted from 0: evaluated when they are over. Nothing: by the clock (evaluation_schedule.h).
  std::optional<std::vector<int>> epochs;
  std::int64_t batch = 0;  // images of a replica; 0: the step's
  int patience = 0;        // evaluations in a row without a new best that end the run; 0: none do
  // Training images over which batch-norm statistics are re-estimated for evaluations and for the last
  // checkpoint (batch_norm_statistics.h); 0: the running averages stay.
  std::int64_t batch_norm_images = 64;
};

struct TrainerOptions {
  TrainingDataOptions data;
  StepOptions step;
  model::OptimizerOptions optimizer;
  model::LossOptions loss;
  // Its schedule's steps_per_epoch, and how micro-batches are made up, are filled in.
  PaceOptions pace;
  double ema_decay = 0;  // of the average of weights that is evaluated and kept; 0: none
  EvaluationOptions evaluation;
  CheckpointOptions checkpoints;
  std::int64_t speed_interval = 20;  // steps between two reports on speed
  RunState::Options recorded;        // kept in checkpoints, for a resumed run to compare
};

// Where training starts: fresh weights at step 0, or a checkpoint.
struct TrainingStart {
  RunState state;
  model::State tensors;
  std::string origin;  // where fresh weights come from, for the log; empty: a checkpoint of the same run
};

// Told what happens, on the training thread.
class TrainObserver {
 public:
  virtual ~TrainObserver() = default;
  virtual void on_step(const StepReport&) {}
  virtual void on_speed(const SpeedReport&) {}
  virtual void on_bad_image(const BadImage&) {}
  virtual void on_checkpoint(std::int64_t /*step*/, const std::filesystem::path& /*folder*/) {}
  // Something that cannot be written or removed, and without which training goes on.
  virtual void on_warning(const std::string& /*line*/) {}
  virtual void on_evaluating(std::uint64_t /*done*/, std::uint64_t /*of*/) {}  // images
  // `best`: whether there was no better one before.
  virtual void on_evaluation(std::int64_t /*step*/, std::uint32_t /*epoch*/, const EvaluationReport&,
                             bool /*best*/) {}
};

// What a run works with and outlives it.
struct TrainingTask {
  graph::Device& device;
  const Dataset& dataset;
  const ValidationSet* validation;  // null: nothing is evaluated
  Communicator& communicator;       // rank 0 writes and tells; the others' observers hear of steps alone
  TrainObserver& observer;
  const std::atomic<bool>& stop;  // once set, training ends with a checkpoint
};

struct TrainingResult {
  std::int64_t step = 0;  // steps done
  bool stopped = false;   // on request: before the last one, or its evaluation
  bool lost_patience = false;
  std::optional<RunState::Best> best;
  std::size_t bad_images = 0;
};

// Whether a run of this state has had as many evaluations without a new best as it has patience for.
bool lost_patience(const RunState& state, const EvaluationOptions& options);

// Trains until options.pace says that the run is over, patience is lost or task.stop is set; all end with a
// checkpoint. Throws Error when
// the loss is not finite, naming the step, its images and the last good checkpoint.
TrainingResult train(const TrainingTask& task, TrainingStart start, const TrainerOptions& options);

}  // namespace ssd
