// The learning rate over a run.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "model/optimizers.h"

namespace ssd {

// Linear warm-up from 0 over the first `warmup` steps, then from `rate` down in the schedule's shape.
struct Schedule {
  enum class Shape {
    multistep,  // multiplied by `factor` at each milestone
    cosine,     // half a cosine from the end of the warm-up to 0 at `steps` (Loshchilov and Hutter, "SGDR",
                // 2017, without restarts)
  };

  double rate = 2.6e-3;
  Shape shape = Shape::multistep;
  double warmup = 0;                       // steps
  std::vector<double> milestones{43, 54};  // epochs, rising; fractions are allowed
  double factor = 0.1;
  double steps_per_epoch = 1;
  double steps = 0;  // in all

  // Of step 0, 1, ...; positions between them are allowed.
  double rate_at(double step) const;
};

// "multistep", "cosine". Throws Error, naming both, for another name.
Schedule::Shape schedule_named(std::string_view name);
std::string_view name_of(Schedule::Shape shape);

}  // namespace ssd
