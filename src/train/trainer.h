// The training loop: batches in, checkpoints and a log out.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "data/loader.h"
#include "graph/device.h"
#include "model/state.h"
#include "train/evaluation.h"
#include "train/run_state.h"
#include "train/schedule.h"

namespace ssd {

struct TrainerOptions {
  DType compute = DType::f32;
  std::int64_t batch = 32;      // images of a micro-batch a replica
  int accumulation = 1;         // micro-batches a step
  std::int64_t iterations = 0;  // steps in all, those before a resume included
  Schedule schedule;            // steps_per_epoch is filled in
  double momentum = 0.9;
  double weight_decay = 5e-4;
  int batch_norm_group = 1;
  int threads = 1;  // that prepare images
  AugmentOptions augment;
  SampleOrder order = SampleOrder::shuffled;
  LoaderOptions::BadImages bad_images = LoaderOptions::BadImages::replace;
  std::filesystem::path save;            // the run's folder; empty: nothing is written
  std::int64_t checkpoint_interval = 0;  // steps; 0: at the ends of epochs, at least 100 steps apart, and
  double checkpoint_seconds = 1800;      // as often as this
  int keep_checkpoints = 3;              // the latest ones; 0: all
  std::vector<int> evaluation_epochs;    // counted from 0: evaluated when they are over
  // Training images over which batch-norm statistics are re-estimated for evaluations and for the last
  // checkpoint (batch_norm_statistics.h); 0: the running averages stay.
  std::int64_t batch_norm_images = 64;
  std::int64_t speed_interval = 20;  // steps between two lines on speed
  RunState::Options recorded;        // kept in checkpoints, for a resumed run to compare
};

// Where training starts: fresh weights at step 0, or a checkpoint.
struct TrainingStart {
  RunState state;
  model::State tensors;
};

struct StepReport {
  std::int64_t step = 0;  // counted from 1
  std::uint32_t epoch = 0;
  double loss = 0;
  double loc_loss = 0;  // the parts of the loss
  double conf_loss = 0;
  std::int64_t positives = 0;  // default boxes, over the step
  double learning_rate = 0;
};

struct SpeedReport {
  std::int64_t step = 0;
  double images_per_s = 0;  // since the last report
  double data_wait = 0;     // share of the time that the device had to wait for images, 0..1
  double seconds = 0;       // since the start
};

// Told what happens, on the training thread.
class TrainObserver {
 public:
  virtual ~TrainObserver() = default;
  virtual void on_step(const StepReport&) {}
  virtual void on_speed(const SpeedReport&) {}
  virtual void on_bad_image(const BadImage&) {}
  virtual void on_checkpoint(std::int64_t /*step*/, const std::filesystem::path& /*folder*/) {}
  virtual void on_evaluating(std::uint64_t /*done*/, std::uint64_t /*of*/) {}  // images
  virtual void on_evaluation(std::int64_t /*step*/, std::uint32_t /*epoch*/, const EvaluationReport&) {}
};

// What evaluation during training looks at.
struct ValidationSet {
  CocoFile ground_truth;
  Dataset dataset;
};

struct TrainingResult {
  std::int64_t step = 0;  // steps done
  bool stopped = false;   // on request: before the last one, or its evaluation
  std::size_t bad_images = 0;
};

// Trains until options.iterations or until `stop` is set; both end with a checkpoint. Throws Error when the
// loss is not finite, naming the step, its images and the last good checkpoint.
TrainingResult train(graph::Device& device, const Dataset& dataset, const ValidationSet* validation,
                     TrainingStart start, const TrainerOptions& options, TrainObserver& observer,
                     const std::atomic<bool>& stop);

}  // namespace ssd
