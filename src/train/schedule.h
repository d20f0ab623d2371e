// The learning rate over a run.
#pragma once

#include <cstdint>
#include <vector>

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

// The recipe's rate: 2.6e-3 for every 32 images of a step.
double recipe_rate(std::int64_t images_per_step);

}  // namespace ssd
