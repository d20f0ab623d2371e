// When a run's checkpoints are written, and how what training has come to lies in their files.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "model/state.h"
#include "train/inference_weights.h"
#include "train/run_state.h"
#include "train/step_pipeline.h"
#include "weights/checkpoint.h"

namespace ssd {

struct CheckpointOptions {
  std::filesystem::path run;  // the run's folder; empty: nothing is written
  std::int64_t interval = 0;  // steps; 0: at the ends of epochs, at least 100 steps apart, and
  double seconds = 1800;      // as often as this
  int keep = 3;               // the latest ones; 0: all
};

// In a run's folder, beside its checkpoints: the one that its best evaluation was of. Never pruned.
inline constexpr const char* best_folder = "best";

class Checkpointer {
 public:
  using Clock = std::chrono::steady_clock;

  struct Callbacks {
    std::function<void(const std::filesystem::path& folder)> written;  // of each checkpoint
    // The first older checkpoint that cannot be removed; training goes on.
    std::function<void(const std::string& line)> warning;
  };

  // `step`: what the run goes on from, as if a checkpoint had been written there now. `inference` outlives
  // this.
  Checkpointer(CheckpointOptions options, std::int64_t step, InferenceWeights& inference,
               Callbacks callbacks = {});

  // Whether a checkpoint is to be written after this step.
  bool due(const StepSpan& step, Clock::time_point now = Clock::now()) const;

  // The step after which the last one was written, or should have been where nothing is.
  std::int64_t last_step() const { return last_step_; }
  // Whether the last one has inference weights; what the run went on from counts as if it had.
  bool last_is_for_inference() const { return last_is_for_inference_; }

  struct Moment {
    bool last = false;   // of the run
    bool hurry = false;  // somebody waits for the run to end
  };
  // The run's last checkpoint has inference weights; the running averages then lie beside the optimizer's
  // slots, so that a resumed run goes on with them. Returns what is not finite, after which training cannot
  // go on; empty: all is well. Weights that are not finite are not written.
  std::string_view write(const RunState& state, model::State tensors, const Moment& moment);

  // RUN/best: a checkpoint of inference weights alone, from which no run goes on.
  void write_best(const RunState& state, const TensorMap& weights) const;

  // Replaces what the checkpoint of state.step says of the run; its tensors stay. Nothing where there is
  // none.
  void rewrite_state(const RunState& state) const;

  // The folder of the latest complete one, "none" where there is none.
  std::string last_good() const;

 private:
  void prune();
  void write_files(const RunState& state, const model::State& tensors);

  CheckpointOptions options_;
  InferenceWeights& inference_;
  Callbacks callbacks_;
  bool warned_ = false;
  std::int64_t last_step_, written_step_ = -1;
  bool last_is_for_inference_ = true;
  Clock::time_point last_time_ = Clock::now();
};

// A checkpoint's files. Slots and averages share optimizer.safetensors: the slot "momentum" and the average
// "running" under the tensors' plain names (no tensor has both), others as "SLOT/NAME" and
// "average/AVERAGE/NAME".
Checkpoint to_checkpoint(const model::State& state, std::string state_json);
// The way back. Running statistics and training's own weights among the averages take their place among the
// weights again.
model::State resumable_state(Checkpoint checkpoint);

}  // namespace ssd
