#include "boxes/candidates.h"

#include <algorithm>
#include <cassert>
#include <cmath>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "boxes/candidates.cc"
#include <hwy/foreach_target.h>
// After foreach_target.h
#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

// Nearly every default box shows background. Since the largest term of a softmax's sum is 1 (relative to the
// largest logit m), a class scores above s only if its logit is above m + log(s): a box is dismissed by two
// maxima, and exponentials are computed for the few that remain.

HWY_BEFORE_NAMESPACE();
namespace ssd {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

const hn::ScalableTag<float> lanes_f32;

// The last vector overlaps the one before it: a maximum may count an element twice.
float largest(const float* values, std::size_t count) {
  const std::size_t step = hn::Lanes(lanes_f32);
  if (count < step) return *std::max_element(values, values + count);
  auto top = hn::LoadU(lanes_f32, values + count - step);
  for (std::size_t i = 0; i + step <= count; i += step) top = hn::Max(top, hn::LoadU(lanes_f32, values + i));
  return hn::GetLane(hn::MaxOfLanes(lanes_f32, top));
}

// Sum of exp(values - shift).
float sum_of_exponentials(const float* values, std::size_t count, float shift) {
  const std::size_t step = hn::Lanes(lanes_f32);
  auto sums = hn::Zero(lanes_f32);
  std::size_t i = 0;
  for (; i + step <= count; i += step) {
    const auto shifted = hn::Sub(hn::LoadU(lanes_f32, values + i), hn::Set(lanes_f32, shift));
    sums = hn::Add(sums, hn::Exp(lanes_f32, shifted));
  }
  float sum = hn::GetLane(hn::SumOfLanes(lanes_f32, sums));
  for (; i < count; ++i) sum += std::exp(values[i] - shift);
  return sum;
}

void candidates_of_rows(std::span<const float> logits, const CandidateOptions& options,
                        std::vector<std::vector<Candidate>>& by_class) {
  const std::size_t classes = options.classes;
  const float margin = std::log(options.score) - 1e-3f;  // -infinity for a threshold of 0
  for (std::size_t box = 0; box < logits.size() / classes; ++box) {
    const float* row = logits.data() + box * classes;
    const float object = largest(row + 1, classes - 1);
    const float top = std::max(object, row[0]);
    const float cutoff = top + margin;
    if (object < cutoff) continue;
    const float sum = sum_of_exponentials(row, classes, top);
    for (std::size_t c = 1; c < classes; ++c) {
      if (row[c] < cutoff) continue;
      const float score = std::exp(row[c] - top) / sum;
      if (score > options.score) by_class[c].push_back({static_cast<std::uint32_t>(box), score});
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace ssd
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ssd {
namespace {
HWY_EXPORT(candidates_of_rows);
}  // namespace

void find_candidates(std::span<const float> logits, const CandidateOptions& options,
                     std::vector<std::vector<Candidate>>& by_class) {
  assert(options.classes >= 2 && logits.size() % options.classes == 0);
  by_class.resize(options.classes);
  for (auto& candidates : by_class) candidates.clear();
  HWY_DYNAMIC_DISPATCH(candidates_of_rows)(logits, options, by_class);
}

}  // namespace ssd
#endif
