#include "train/pace.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "base/error.h"

namespace ssd {

RateRule rate_rule_named(std::string_view name) {
  for (const RateRule rule : {RateRule::fixed, RateRule::linear, RateRule::root, RateRule::adascale})
    if (name_of(rule) == name) return rule;
  throw Error("rule of the learning rate: got '{}', expected fixed, linear, root or adascale", name);
}

std::string_view name_of(RateRule rule) {
  switch (rule) {
    case RateRule::fixed:
      return "fixed";
    case RateRule::linear:
      return "linear";
    case RateRule::root:
      return "root";
    case RateRule::adascale:
      return "adascale";
  }
  return "?";
}

Pace::Pace(PaceOptions options, std::int64_t step, const PaceState& state)
    : options_(std::move(options)), step_(step), progress_(state.progress), adascale_(state.adascale) {}

int Pace::micro_batches() const {
  if (options_.trace.empty()) return options_.accumulation;
  return static_cast<int>(options_.trace.images_at(step_) / options_.micro_images);
}

// Of the step that comes next against one of base_images.
double Pace::scale() const {
  return static_cast<double>(images()) / static_cast<double>(options_.base_images);
}

double Pace::rate() const {
  const double base = options_.schedule.rate_at(progress_);
  switch (options_.rule) {
    case RateRule::fixed:
      return base;
    case RateRule::linear:
      return base * scale();
    case RateRule::root:
      return base * std::sqrt(scale());
    case RateRule::adascale:
      return base * adascale_.gain(static_cast<int>(std::lround(scale())));
  }
  return base;
}

PaceState Pace::advance() {
  switch (options_.rule) {
    case RateRule::fixed:
      progress_ += 1;
      break;
    case RateRule::linear:
    case RateRule::root:
      progress_ += scale();
      break;
    case RateRule::adascale:
      progress_ += adascale_.gain(static_cast<int>(std::lround(scale())));
      break;
  }
  ++step_;
  return state();
}

bool Pace::is_over() const {
  // A sum of steps that are no whole numbers may miss its end by a rounding.
  constexpr double rounding = 1e-9;
  if (options_.steps > 0 && step_ >= options_.steps) return true;
  return options_.end > 0 && progress_ >= options_.end * (1 - rounding);
}

std::int64_t steps_in_all(const PaceOptions& options) {
  if (options.rule == RateRule::adascale) {
    const double most = options.end > 0 ? std::ceil(options.end) : static_cast<double>(options.steps);
    return options.steps > 0 ? std::min(options.steps, static_cast<std::int64_t>(most))
                             : static_cast<std::int64_t>(most);
  }
  Pace pace(options, 0, {});
  while (!pace.is_over()) pace.advance();
  return pace.step();
}

}  // namespace ssd
