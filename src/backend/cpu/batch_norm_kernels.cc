#include "backend/cpu/batch_norm_kernels.h"

#include <algorithm>
#include <cassert>
#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/batch_norm_kernels.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace ssd::cpu::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

template <int B>
using Tag = hn::CappedTag<float, B>;

// Partial sums in f32 grow over so many cells before they go into the double sums.
constexpr std::int64_t chunk_cells = 64;

// Adds what the lanes of `v` hold to sums[0 .. lanes - 1].
template <class D, class V>
HWY_INLINE void add_to(D d, V v, double* sums) {
  HWY_ALIGN float lanes[hn::MaxLanes(D())];
  hn::Store(v, d, lanes);
  for (std::size_t i = 0; i < hn::Lanes(d); ++i) sums[i] += lanes[i];
}

// Sums over cells of two quantities, term(cell, first, second), for one vector of channels. Four running sums
// each hide the latency of the additions.
template <class D, class Term>
HWY_INLINE void sum_cells(D d, std::int64_t cells, const PlaneSums& sums, std::int64_t lane,
                          const Term& term) {
  using V = hn::Vec<D>;
  for (std::int64_t begin = 0; begin < cells; begin += chunk_cells) {
    const std::int64_t end = std::min(begin + chunk_cells, cells);
    V a0 = hn::Zero(d), a1 = a0, a2 = a0, a3 = a0, b0 = a0, b1 = a0, b2 = a0, b3 = a0;
    std::int64_t cell = begin;
    for (; cell + 4 <= end; cell += 4) {
      term(cell, a0, b0);
      term(cell + 1, a1, b1);
      term(cell + 2, a2, b2);
      term(cell + 3, a3, b3);
    }
    for (; cell < end; ++cell) term(cell, a0, b0);
    add_to(d, hn::Add(hn::Add(a0, a1), hn::Add(a2, a3)), sums.first + lane);
    add_to(d, hn::Add(hn::Add(b0, b1), hn::Add(b2, b3)), sums.second + lane);
  }
}

template <int B>
void sum_statistics_of(const StatisticsPlane& p, PlaneSums sums) {
  const Tag<B> d;
  std::fill_n(sums.first, B, 0.0);
  std::fill_n(sums.second, B, 0.0);
  for (std::int64_t lane = 0; lane < B; lane += static_cast<std::int64_t>(hn::Lanes(d))) {
    const auto origin = hn::LoadU(d, p.origin + lane);
    sum_cells(d, p.cells, sums, lane, [&](std::int64_t cell, auto& first, auto& second) HWY_ATTR {
      const auto difference = hn::Sub(hn::LoadU(d, p.x + cell * B + lane), origin);
      first = hn::Add(first, difference);
      second = hn::MulAdd(difference, difference, second);
    });
  }
}

template <int B, bool with_residual>
void normalize_plane_of(const NormalizePlane& p) {
  const Tag<B> d;
  for (std::int64_t lane = 0; lane < B; lane += static_cast<std::int64_t>(hn::Lanes(d))) {
    const auto mean = hn::LoadU(d, p.mean + lane), factor = hn::LoadU(d, p.factor + lane);
    const auto shift = hn::LoadU(d, p.shift + lane);
    const auto least = hn::Set(d, p.relu ? 0.0f : -std::numeric_limits<float>::infinity());
    for (std::int64_t i = lane; i < p.cells * B; i += B) {
      auto value = hn::MulAdd(hn::Sub(hn::LoadU(d, p.x + i), mean), factor, shift);
      if constexpr (with_residual) value = hn::Add(value, hn::LoadU(d, p.residual + i));
      hn::StoreU(hn::IfThenElse(hn::Lt(value, least), least, value), d, p.y + i);
    }
  }
}

template <int B, bool summed, bool masked, class D>
HWY_INLINE hn::Vec<D> load_gradient(D d, const GradientPlane& p, std::int64_t i) {
  auto g = hn::LoadU(d, p.dy + i);
  if constexpr (summed) g = hn::Add(g, hn::LoadU(d, p.more_dy + i));
  if constexpr (masked) g = hn::IfThenElseZero(hn::Gt(hn::LoadU(d, p.y + i), hn::Zero(d)), g);
  return g;
}

template <int B, bool summed, bool masked>
void sum_gradients_of(const GradientPlane& p, PlaneSums sums) {
  const Tag<B> d;
  std::fill_n(sums.first, B, 0.0);
  std::fill_n(sums.second, B, 0.0);
  for (std::int64_t lane = 0; lane < B; lane += static_cast<std::int64_t>(hn::Lanes(d))) {
    const auto mean = hn::LoadU(d, p.mean + lane);
    sum_cells(d, p.cells, sums, lane, [&](std::int64_t cell, auto& first, auto& second) HWY_ATTR {
      const std::int64_t i = cell * B + lane;
      const auto g = load_gradient<B, summed, masked>(d, p, i);
      if (p.g != nullptr) hn::StoreU(g, d, p.g + i);
      first = hn::Add(first, g);
      second = hn::MulAdd(g, hn::Sub(hn::LoadU(d, p.x + i), mean), second);
    });
  }
}

template <int B, bool summed, bool masked>
void input_gradient_of(const GradientPlane& p, const GradientFactors& f, float* dx) {
  const Tag<B> d;
  for (std::int64_t lane = 0; lane < B; lane += static_cast<std::int64_t>(hn::Lanes(d))) {
    const auto mean = hn::LoadU(d, p.mean + lane), factor = hn::LoadU(d, f.factor + lane);
    const auto g_mean = hn::LoadU(d, f.g_mean + lane), slope = hn::LoadU(d, f.slope + lane);
    for (std::int64_t i = lane; i < p.cells * B; i += B) {
      const auto g = load_gradient<B, summed, masked>(d, p, i);
      const auto normal = hn::Sub(hn::LoadU(d, p.x + i), mean);
      hn::StoreU(hn::Mul(factor, hn::NegMulAdd(normal, slope, hn::Sub(g, g_mean))), d, dx + i);
    }
  }
}

void SumStatistics(const StatisticsPlane& p, PlaneSums sums) {
  p.block == 16 ? sum_statistics_of<16>(p, sums) : sum_statistics_of<8>(p, sums);
}

template <int B>
void normalize_block(const NormalizePlane& p) {
  p.residual != nullptr ? normalize_plane_of<B, true>(p) : normalize_plane_of<B, false>(p);
}
void Normalize(const NormalizePlane& p) { p.block == 16 ? normalize_block<16>(p) : normalize_block<8>(p); }

template <int B>
void sum_gradients_block(const GradientPlane& p, PlaneSums sums) {
  if (p.more_dy != nullptr)
    p.y != nullptr ? sum_gradients_of<B, true, true>(p, sums) : sum_gradients_of<B, true, false>(p, sums);
  else
    p.y != nullptr ? sum_gradients_of<B, false, true>(p, sums) : sum_gradients_of<B, false, false>(p, sums);
}
void SumGradients(const GradientPlane& p, PlaneSums sums) {
  p.block == 16 ? sum_gradients_block<16>(p, sums) : sum_gradients_block<8>(p, sums);
}

template <int B>
void input_gradient_block(const GradientPlane& p, const GradientFactors& f, float* dx) {
  if (p.more_dy != nullptr)
    p.y != nullptr ? input_gradient_of<B, true, true>(p, f, dx) : input_gradient_of<B, true, false>(p, f, dx);
  else
    p.y != nullptr ? input_gradient_of<B, false, true>(p, f, dx)
                   : input_gradient_of<B, false, false>(p, f, dx);
}
void InputGradient(const GradientPlane& p, const GradientFactors& f, float* dx) {
  p.block == 16 ? input_gradient_block<16>(p, f, dx) : input_gradient_block<8>(p, f, dx);
}

}  // namespace
}  // namespace ssd::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ssd::cpu {

HWY_EXPORT(SumStatistics);
HWY_EXPORT(Normalize);
HWY_EXPORT(SumGradients);
HWY_EXPORT(InputGradient);

void sum_statistics(const StatisticsPlane& plane, PlaneSums sums) {
  HWY_DYNAMIC_DISPATCH(SumStatistics)(plane, sums);
}
void normalize_plane(const NormalizePlane& plane) { HWY_DYNAMIC_DISPATCH(Normalize)(plane); }
void sum_gradients(const GradientPlane& plane, PlaneSums sums) {
  HWY_DYNAMIC_DISPATCH(SumGradients)(plane, sums);
}
void input_gradient_plane(const GradientPlane& plane, const GradientFactors& factors, float* dx) {
  HWY_DYNAMIC_DISPATCH(InputGradient)(plane, factors, dx);
}

}  // namespace ssd::cpu
#endif
