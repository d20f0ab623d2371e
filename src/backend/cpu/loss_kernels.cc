#include "backend/cpu/loss_kernels.h"

#include <cmath>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/loss_kernels.cc"
// The targets come before whatever is compiled once for each.
// clang-format off
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
#include <hwy/contrib/math/math-inl.h>
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace ssd::cpu::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

using Tag = hn::ScalableTag<float>;
constexpr float no_logit = -1e30f;  // a logit of probability 0

// Calls body(vector) for all elements; lanes beyond the end hold `no_logit`.
template <class Body>
HWY_INLINE void for_each_vector(const float* row, std::int64_t count, const Body& body) {
  const Tag d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  std::int64_t i = 0;
  for (; i + lanes <= count; i += lanes) body(hn::LoadU(d, row + i));
  if (i < count) {
    const auto mask = hn::FirstN(d, static_cast<std::size_t>(count - i));
    body(hn::IfThenElse(mask, hn::MaskedLoad(mask, d, row + i), hn::Set(d, no_logit)));
  }
}

float LogSumExp(const float* row, std::int64_t classes) {
  const Tag d;
  auto most = hn::Set(d, no_logit);
  auto strange = hn::Zero(d);  // becomes NaN when a logit is not finite
  for_each_vector(row, classes, [&](auto v) HWY_ATTR {
    most = hn::Max(most, v);
    strange = hn::MulAdd(v, hn::Zero(d), strange);
  });
  const float top = hn::GetLane(hn::MaxOfLanes(d, most));
  const auto tops = hn::Set(d, top);
  auto sum = hn::Zero(d);
  for_each_vector(row, classes, [&](auto v) HWY_ATTR { sum = hn::Add(sum, hn::Exp(d, hn::Sub(v, tops))); });
  const float total = hn::GetLane(hn::SumOfLanes(d, sum)) + hn::GetLane(hn::SumOfLanes(d, strange));
  return top + std::log(total);
}

void Softmax(const ScaledSoftmax& s, float* out) {
  const Tag d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const auto log_sum = hn::Set(d, s.log_sum), factor = hn::Set(d, s.factor);
  std::int64_t i = 0;
  for_each_vector(s.row, s.classes, [&](auto v) HWY_ATTR {
    const auto value = hn::Mul(factor, hn::Exp(d, hn::Sub(v, log_sum)));
    if (i + lanes <= s.classes)
      hn::StoreU(value, d, out + i);
    else
      hn::BlendedStore(value, hn::FirstN(d, static_cast<std::size_t>(s.classes - i)), d, out + i);
    i += lanes;
  });
}

}  // namespace
}  // namespace ssd::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ssd::cpu {

HWY_EXPORT(LogSumExp);
HWY_EXPORT(Softmax);

float log_sum_exp(const float* row, std::int64_t classes) {
  return HWY_DYNAMIC_DISPATCH(LogSumExp)(row, classes);
}
void scaled_softmax(const ScaledSoftmax& softmax, float* out) { HWY_DYNAMIC_DISPATCH(Softmax)(softmax, out); }

}  // namespace ssd::cpu
#endif
