#include "train/speed_meter.h"

namespace ssd {
namespace {

double seconds_between(SpeedMeter::Clock::time_point from, SpeedMeter::Clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

}  // namespace

SpeedMeter::SpeedMeter(std::uint64_t images, Clock::time_point now)
    : start_(now), since_(now), images_(images) {}

SpeedReport SpeedMeter::report(std::int64_t step, std::uint64_t images, double wait, Clock::time_point now) {
  const double elapsed = seconds_between(since_, now);
  const auto since = static_cast<double>(images - images_);
  const SpeedReport result{step, since / elapsed, (wait - wait_) / elapsed, seconds_between(start_, now)};
  skip(images, wait, now);
  return result;
}

void SpeedMeter::skip(std::uint64_t images, double wait, Clock::time_point now) {
  since_ = now;
  images_ = images;
  wait_ = wait;
}

}  // namespace ssd
