// How a run proceeds: how many micro-batches each step has, at which learning rate it is taken, and when the
// run is over.
#pragma once

#include <cstdint>
#include <string_view>

#include "train/adascale.h"
#include "train/batch_trace.h"
#include "train/schedule.h"

namespace ssd {

// What the learning rate of a step of S times the base's images is, and how far it brings the run.
enum class RateRule {
  fixed,     // the schedule's; a step forward, however large
  linear,    // times S; S steps forward (Goyal et al. 2017)
  root,      // times the square root of S; S steps forward
  adascale,  // times AdaScale's gain; as many steps forward (adascale.h)
};
// "fixed", "linear", "root", "adascale". Throws Error, naming them, for another name.
RateRule rate_rule_named(std::string_view name);
std::string_view name_of(RateRule rule);

// Where a run is; kept in checkpoints.
struct PaceState {
  double progress = 0;  // steps of the schedule behind
  AdaScale::Averages adascale;

  bool operator==(const PaceState&) const = default;
};

struct PaceOptions {
  Schedule schedule;       // of progress; schedule.rate is of a step of base_images
  double end = 0;          // progress at which the run is over; 0: none but `steps`
  std::int64_t steps = 0;  // at which the run is over at the latest
  RateRule rule = RateRule::fixed;
  std::int64_t base_images = 32;  // adascale: of one gradient, a replica's of a micro-batch
  std::int64_t micro_images = 32;  // of a micro-batch on all devices
  int accumulation = 1;            // micro-batches a step, where there is no trace
  BatchTrace trace;
};

class Pace {
 public:
  // `step`: steps already done.
  Pace(PaceOptions options, std::int64_t step, const PaceState& state);

  // Of the step that comes next.
  std::int64_t step() const { return step_; }  // counted from 0
  int micro_batches() const;
  double rate() const;
  bool is_over() const;

  // That step has begun; the one after it comes next. Gives the state after it, but for what its gradients
  // will show.
  PaceState advance();

  // Whether what comes next depends on the gradients of the step before.
  bool needs_gradients() const { return options_.rule == RateRule::adascale; }
  void observe(double mean_of_squares, double square_of_mean, int gradients) {
    adascale_.observe(mean_of_squares, square_of_mean, gradients);
  }
  PaceState state() const { return {progress_, adascale_.averages()}; }

 private:
  std::int64_t images() const { return micro_batches() * options_.micro_images; }
  double scale() const;

  PaceOptions options_;
  std::int64_t step_;
  double progress_;
  AdaScale adascale_;
};

// The steps that a run of these options has, from its beginning on; for RateRule::adascale the most it may
// have.
std::int64_t steps_in_all(const PaceOptions& options);

}  // namespace ssd
