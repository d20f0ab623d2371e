// How fast a run trains, and how long its device waits for images.
#pragma once

#include <chrono>
#include <cstdint>

namespace ssd {

struct SpeedReport {
  std::int64_t step = 0;
  double images_per_s = 0;  // since the last report
  double data_wait = 0;     // share of the time that the device had to wait for images, 0..1
  double seconds = 0;       // since the start
};

class SpeedMeter {
 public:
  using Clock = std::chrono::steady_clock;

  // Measures from after so many `images` on. `now` serves tests.
  explicit SpeedMeter(std::uint64_t images, Clock::time_point now = Clock::now());

  // What has passed since the last report or pause. `images`: those of the run so far. `wait`: seconds that
  // the device has waited for images since the start.
  SpeedReport report(std::int64_t step, std::uint64_t images, double wait,
                     Clock::time_point now = Clock::now());
  // What has passed since the last report was no training, such as an evaluation.
  void skip(std::uint64_t images, double wait, Clock::time_point now = Clock::now());

 private:
  Clock::time_point start_, since_;  // since_, images_ and wait_ are of the last report or pause
  std::uint64_t images_;
  double wait_ = 0;
};

}  // namespace ssd
