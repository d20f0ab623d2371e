#include "cli/train_console.h"

#include <fmt/format.h>

namespace ssd::cli {

TrainConsole::TrainConsole(std::int64_t first, std::int64_t steps, std::int64_t log_interval)
    : progress_("train", 1e9), first_(first), steps_(steps), log_interval_(log_interval) {
  progress_.start(static_cast<std::uint64_t>(first));
}

void TrainConsole::on_step(const StepReport& step) {
  // An average over about ten steps: single batches differ too much to read.
  smooth_ = std::isnan(smooth_) ? step.loss : 0.9 * smooth_ + 0.1 * step.loss;
  last_ = step;
  if (measured_) {
    measured_->to = std::chrono::steady_clock::now();
    if (step.step <= measured_->after) measured_->from = measured_->to;
  }
  evaluation_.reset();
  progress_.show(static_cast<std::uint64_t>(step.step), static_cast<std::uint64_t>(steps_), note());
}

void TrainConsole::on_speed(const SpeedReport& speed) {
  speed_ = speed;
  if (speed.step % log_interval_ == 0 || speed.step == steps_)
    progress_.say(fmt::format("step {}/{}, epoch {}, {}, waiting for data {:.0f} %", speed.step, steps_,
                              last_.epoch, note(), 100 * speed.data_wait));
}

void TrainConsole::on_bad_image(const BadImage& image) {
  progress_.say(fmt::format("bad image: {}: {}", image.file, image.reason));
}

void TrainConsole::on_checkpoint(std::int64_t, const std::filesystem::path& folder) {
  progress_.say("checkpoint " + folder.string());
}

void TrainConsole::on_warning(const std::string& line) { progress_.say("warning: " + line); }

void TrainConsole::on_evaluating(std::uint64_t done, std::uint64_t of) {
  if (!evaluation_) {
    progress_.finish();
    evaluation_.emplace("evaluate");
  }
  evaluation_->show(done, of);
}

void TrainConsole::on_evaluation(std::int64_t step, std::uint32_t epoch, const EvaluationReport& report,
                                 bool best) {
  evaluation_.reset();
  progress_.say(fmt::format("evaluation after epoch {}, step {}: AP {:.4f}, AP50 {:.4f}{}", epoch, step,
                            report.numbers[0], report.numbers[1], best ? ", the best so far" : ""));
}

void TrainConsole::measure_after(std::int64_t step, std::int64_t images_per_step) {
  const auto now = std::chrono::steady_clock::now();
  measured_ = Measured{step, images_per_step, now, now};
}

double TrainConsole::images_per_s() const {
  if (!measured_) return speed_.images_per_s;
  const auto images = static_cast<double>((last_.step - measured_->after) * measured_->images_per_step);
  return images / std::chrono::duration<double>(measured_->to - measured_->from).count();
}

// The speed is known only after the first report.
std::string TrainConsole::note() const {
  const std::string speed = speed_.step > first_ ? fmt::format(", {:.2f} images/s", speed_.images_per_s) : "";
  return fmt::format("loss {:.3f}, lr {:.2e}{}", smooth_, last_.learning_rate, speed);
}

}  // namespace ssd::cli
