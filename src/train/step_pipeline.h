// Keeps the device fed: micro-batches are started ahead and finished in order.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "data/loader/loader.h"
#include "model/training_program.h"
#include "train/pace.h"

namespace ssd {

// Of one step.
struct StepReport {
  std::int64_t step = 0;  // counted from 1
  std::uint32_t epoch = 0;
  double loss = 0;
  double loc_loss = 0;  // the parts of the loss
  double conf_loss = 0;
  std::int64_t positives = 0;  // default boxes, over the step
  double learning_rate = 0;
};

// A step that is over.
struct FinishedStep {
  StepReport report;
  StreamPosition next;   // of the first sample of the step after it
  PaceState pace;        // after it
  bool is_last = false;  // of the run
  // The samples (into Dataset::samples) of a micro-batch whose loss is not finite: the step was not ended,
  // and report.loss is that loss. Empty: all is well.
  std::vector<std::uint32_t> bad_samples;
};

// A step that was started, and the epochs that its samples reach over.
struct StepSpan {
  std::int64_t step = 0;          // counted from 1
  std::uint32_t first_epoch = 0;  // of the step's first sample
  std::uint32_t next_epoch = 0;   // of the sample after its last
  bool is_last = false;           // of the run

  bool ends_epoch() const { return next_epoch > first_epoch; }
  // Whether the last sample of an epoch, counted from 0, is in the step.
  bool ends(std::int64_t epoch) const { return epoch >= first_epoch && epoch < next_epoch; }
};

class StepPipeline {
 public:
  struct Options {
    std::int64_t first = 0;  // steps already done
    PaceState state;         // after them
    PaceOptions pace;
    double ema_decay = 0;  // the most of the averaged weights that stays from step to step; 0: no average
    // Asked once for each step when its last micro-batch has been started: whether nothing is to be started
    // after it until resume() is called.
    std::function<bool(const StepSpan&)> rests_after;
    // Processes that run in step must start and finish the same steps in the same order: each then waits for
    // its images rather than finish a step meanwhile.
    bool in_step = false;
  };

  // `program` is loaded. `stop`, once set, lets no further step begin. The loader outlives the pipeline.
  StepPipeline(std::unique_ptr<model::TrainingProgram> program, Loader& loader, const std::atomic<bool>& stop,
               Options options);

  // Starts what may be started, and waits for the oldest step in flight. Nothing where none is: all steps are
  // done, `stop` is set, or the pipeline rests.
  std::optional<FinishedStep> next();

  // The step after which it waits for resume(), if it does; nothing is in flight once next() gave nothing.
  const std::optional<StepSpan>& rests_after() const { return rests_after_; }
  void resume() { rests_after_.reset(); }

  model::TrainingProgram& program() { return *program_; }

  // Whether all steps of the run have been started.
  bool is_over() const { return next_micro_ == 0 && pace_.is_over(); }
  std::int64_t started() const { return pace_.step(); }  // steps

 private:
  // On its way through the device, with everything its inputs point to.
  struct MicroBatch {
    Loader::BatchPointer batch;
    Tensor learning_rate, loss_scale, number, ema_decay;
    std::int64_t step = 0;  // counted from 1
    int index = 0;          // within the step,
    int of = 1;             // which has so many
    PaceState pace;         // after the step,
    bool is_last = false;   // which is the run's last
  };

  bool may_start() const;
  bool waits_for_gradients() const;
  double ema_decay_at(std::int64_t number) const;
  void start_micro_batch();
  bool finish_micro_batch(FinishedStep& step);
  void add_losses(const model::TrainingOutputs& outputs, int micro_batches);
  void add_square(const MicroBatch& micro, const model::TrainingOutputs& outputs);

  Loader& loader_;
  const std::atomic<bool>& stop_;
  Options options_;
  std::deque<MicroBatch> in_flight_;  // outlives the program, which may be reading from it
  std::unique_ptr<model::TrainingProgram> program_;
  Pace pace_;  // of the step that is being started
  int next_micro_ = 0;
  std::uint32_t first_epoch_ = 0;  // of that step
  std::optional<StepSpan> rests_after_;
  // Of the step whose micro-batches are being finished.
  StepReport report_;
  double mean_square_ = 0;  // of the squared norms of its replicas' and micro-batches' gradients
};

}  // namespace ssd
