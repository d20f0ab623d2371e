#include "train/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/error.h"

namespace ssd {

double Schedule::rate_at(double step) const {
  double current = rate;
  switch (shape) {
    case Shape::multistep:
      for (const double milestone : milestones)
        if (step >= milestone * steps_per_epoch) current *= factor;
      break;
    case Shape::cosine:
      if (steps > warmup) {
        const double share = std::clamp((step - warmup) / (steps - warmup), 0.0, 1.0);
        current *= (1 + std::cos(std::numbers::pi * share)) / 2;
      }
      break;
  }
  if (step < warmup) current *= step / warmup;
  return current;
}

Schedule::Shape schedule_named(std::string_view name) {
  for (const Schedule::Shape shape : {Schedule::Shape::multistep, Schedule::Shape::cosine})
    if (name_of(shape) == name) return shape;
  throw Error("schedule: got '{}', expected multistep or cosine", name);
}

std::string_view name_of(Schedule::Shape shape) {
  switch (shape) {
    case Schedule::Shape::multistep:
      return "multistep";
    case Schedule::Shape::cosine:
      return "cosine";
  }
  return "?";
}

}  // namespace ssd
