#include "train/evaluation_schedule.h"

#include <algorithm>

namespace ssd {
namespace {

constexpr int training_per_evaluation = 9;  // in time: a tenth of the whole is left

std::uint32_t epoch_of(const StepSpan& step) {
  return step.ends_epoch() ? step.next_epoch - 1 : step.first_epoch;
}

}  // namespace

std::optional<std::uint32_t> EvaluationSchedule::due(const StepSpan& step, Clock::time_point now) const {
  if (epochs_) {
    std::optional<std::uint32_t> result;
    for (const int epoch : *epochs_)
      if (step.ends(epoch)) result = std::max(result.value_or(0), static_cast<std::uint32_t>(epoch));
    return result;
  }
  const bool worth_it = !cost_ || now - since_ >= training_per_evaluation * *cost_;
  if (step.is_last || (step.ends_epoch() && worth_it)) return epoch_of(step);
  return std::nullopt;
}

void EvaluationSchedule::evaluated(Clock::time_point begin, Clock::time_point end) {
  cost_ = end - begin;
  since_ = end;
}

}  // namespace ssd
