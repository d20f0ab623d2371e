// What a training run shows on the console.
#pragma once

#include <chrono>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "cli/output.h"
#include "train/trainer.h"

namespace ssd::cli {

// Shows steps as a progress bar and what else happens as lines.
class TrainConsole : public TrainObserver {
 public:
  // `first`: the steps already done.
  TrainConsole(std::int64_t first, std::int64_t steps, std::int64_t log_interval);

  void on_step(const StepReport& step) override;
  void on_speed(const SpeedReport& speed) override;
  void on_bad_image(const BadImage& image) override;
  void on_checkpoint(std::int64_t step, const std::filesystem::path& folder) override;
  void on_warning(const std::string& line) override;
  void on_evaluating(std::uint64_t done, std::uint64_t of) override;
  void on_evaluation(std::int64_t step, std::uint32_t epoch, const EvaluationReport& report,
                     bool best) override;

  // Over the steps of so many images after this one, not since the last report.
  void measure_after(std::int64_t step, std::int64_t images_per_step);
  double images_per_s() const;

  // The last ones; step 0 where there was none.
  const SpeedReport& speed() const { return speed_; }
  const StepReport& last() const { return last_; }

 private:
  std::string note() const;

  Progress progress_;
  std::optional<Progress> evaluation_;  // while one is made
  std::int64_t first_, steps_, log_interval_;
  StepReport last_;
  SpeedReport speed_;
  double smooth_ = NAN;  // the loss

  struct Measured {
    std::int64_t after, images_per_step;
    std::chrono::steady_clock::time_point from, to;
  };
  std::optional<Measured> measured_;
};

}  // namespace ssd::cli
