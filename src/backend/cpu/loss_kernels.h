// Softmax over rows of logits.
#pragma once

#include <cstdint>

namespace ssd::cpu {

// log(sum(exp(row))) of K logits, without overflow; not a number where a logit is not finite.
float log_sum_exp(const float* row, std::int64_t classes);

// out = factor * exp(row - log_sum): softmax scaled.
struct ScaledSoftmax {
  const float* row = nullptr;
  float log_sum = 0;
  float factor = 1;
  std::int64_t classes = 0;
};
void scaled_softmax(const ScaledSoftmax& softmax, float* out);

}  // namespace ssd::cpu
