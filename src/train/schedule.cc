#include "train/schedule.h"

namespace ssd {

double Schedule::rate_at(std::int64_t step) const {
  double current = rate;
  for (const double milestone : milestones)
    if (static_cast<double>(step) >= milestone * steps_per_epoch) current *= factor;
  if (step < warmup) current *= static_cast<double>(step) / static_cast<double>(warmup);
  return current;
}

double default_rate(const model::OptimizerOptions& optimizer, std::int64_t images_per_step) {
  return model::optimizer_named(optimizer.name).rate_per_32 * static_cast<double>(images_per_step) / 32;
}

}  // namespace ssd
