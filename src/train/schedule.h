// The learning rate over a run.
#pragma once

#include <cstdint>
#include <vector>

#include "model/optimizers.h"

namespace ssd {

// Linear warm-up from 0 over the first `warmup` steps, then `rate`, multiplied by `factor` at each milestone.
struct Schedule {
  double rate = 2.6e-3;
  std::int64_t warmup = 0;                 // steps
  std::vector<double> milestones{43, 54};  // epochs, rising; fractions are allowed
  double factor = 0.1;
  double steps_per_epoch = 1;

  // Of step 0, 1, ...
  double rate_at(std::int64_t step) const;
};

// The optimizer's own, which grows with the images of a step; the recipe's: 2.6e-3 for every 32.
double default_rate(const model::OptimizerOptions& optimizer, std::int64_t images_per_step);

}  // namespace ssd
