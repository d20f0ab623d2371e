#include "train/speed_meter.h"

namespace ssd {
namespace {

double seconds_between(SpeedMeter::Clock::time_point from, SpeedMeter::Clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

}  // namespace

SpeedMeter::SpeedMeter(std::int64_t images_per_step, std::int64_t step, Clock::time_point now)
    : images_per_step_(images_per_step), start_(now), since_(now), step_(step) {}

SpeedReport SpeedMeter::report(std::int64_t step, double wait, Clock::time_point now) {
  const double elapsed = seconds_between(since_, now);
  const auto images = static_cast<double>((step - step_) * images_per_step_);
  const SpeedReport result{step, images / elapsed, (wait - wait_) / elapsed, seconds_between(start_, now)};
  skip(step, wait, now);
  return result;
}

void SpeedMeter::skip(std::int64_t step, double wait, Clock::time_point now) {
  since_ = now;
  step_ = step;
  wait_ = wait;
}

}  // namespace ssd
