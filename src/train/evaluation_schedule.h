// When a run evaluates.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "train/step_pipeline.h"

namespace ssd {

// Either after the epochs that are listed, or so often that evaluating takes at most a tenth of the time:
// after each epoch whose end comes nine times an evaluation's time or more after the evaluation before, and
// after the run's last step. How long one takes is known once there was one; the first follows the first
// epoch.
class EvaluationSchedule {
 public:
  using Clock = std::chrono::steady_clock;

  // `epochs`, counted from 0; without a list the clock decides.
  explicit EvaluationSchedule(std::optional<std::vector<int>> epochs, Clock::time_point now = Clock::now())
      : epochs_(std::move(epochs)), since_(now) {}

  bool by_clock() const { return !epochs_.has_value(); }
  // The epoch to name an evaluation after this step by, where there is to be one: the last that the step
  // ends, or else the one it is in.
  std::optional<std::uint32_t> due(const StepSpan& step, Clock::time_point now = Clock::now()) const;

  // An evaluation that began and ended then.
  void evaluated(Clock::time_point begin, Clock::time_point end);

 private:
  std::optional<std::vector<int>> epochs_;
  Clock::time_point since_;              // the end of the last evaluation, or the run's begin
  std::optional<Clock::duration> cost_;  // of the last one
};

}  // namespace ssd
