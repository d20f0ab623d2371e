#include "backend/cpu/batch_norm_kernels.h"

#include <algorithm>
#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/batch_norm_kernels.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "backend/cpu/bf16_vectors.h"

HWY_BEFORE_NAMESPACE();
namespace ssd::cpu::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

// Partial sums in f32 grow over so many cells before they go into the double sums.
constexpr std::int64_t chunk_cells = 64;

// With the channels last a few rows at a time are read from end to end: that is the order of the memory.
constexpr std::int64_t rows_together = 4;

// Cells first .. last - 1 of a plane for one vector of channels, which begin at channel `lane`.
struct Run {
  std::int64_t first, last, channels, lane;

  std::int64_t at(std::int64_t cell) const { return cell * channels + lane; }
};

// Calls body(d, run) for cells first .. last - 1 of a plane and all its channels, a vector of them at a time.
// B: the channels of a block, known when this is compiled; 0: any number of them.
template <int B, class Body>
HWY_INLINE void for_channels(const PlaneShape& shape, std::int64_t first, std::int64_t last,
                             const Body& body) {
  const hn::CappedTag<float, B == 0 ? 16 : B> d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const std::int64_t channels = B == 0 ? shape.channels : B;
  std::int64_t lane = 0;
  for (; lane + lanes <= channels; lane += lanes) body(d, Run{first, last, channels, lane});
  if constexpr (B == 0)
    for (; lane < channels; ++lane) body(hn::CappedTag<float, 1>(), Run{first, last, channels, lane});
}

// The same for all cells.
template <int B, class Body>
HWY_INLINE void for_cells(const PlaneShape& shape, const Body& body) {
  const std::int64_t together = B == 0 ? rows_together : shape.cells;
  for (std::int64_t first = 0; first < shape.cells; first += together)
    for_channels<B>(shape, first, std::min(first + together, shape.cells), body);
}

// Adds what the lanes of `v` hold to sums[0 .. lanes - 1].
template <class D, class V>
HWY_INLINE void add_to(D d, V v, double* sums) {
  HWY_ALIGN float lanes[hn::MaxLanes(D())];
  hn::Store(v, d, lanes);
  for (std::size_t i = 0; i < hn::Lanes(d); ++i) sums[i] += lanes[i];
}
template <class D, class V>
HWY_INLINE void add_to(D d, V v, float* sums) {
  hn::StoreU(hn::Add(hn::LoadU(d, sums), v), d, sums);
}

// Adds two quantities of a run's cells to the sums, term(index of the cell's element, first, second). Four
// running sums each hide the latency of the additions.
template <class D, typename Sum, class Term>
HWY_INLINE void sum_run(D d, const Run& run, Sum* first, Sum* second, const Term& term) {
  using V = hn::Vec<D>;
  V a0 = hn::Zero(d), a1 = a0, a2 = a0, a3 = a0, b0 = a0, b1 = a0, b2 = a0, b3 = a0;
  std::int64_t cell = run.first;
  for (; cell + 4 <= run.last; cell += 4) {
    term(run.at(cell), a0, b0);
    term(run.at(cell + 1), a1, b1);
    term(run.at(cell + 2), a2, b2);
    term(run.at(cell + 3), a3, b3);
  }
  for (; cell < run.last; ++cell) term(run.at(cell), a0, b0);
  add_to(d, hn::Add(hn::Add(a0, a1), hn::Add(a2, a3)), first + run.lane);
  add_to(d, hn::Add(hn::Add(b0, b1), hn::Add(b2, b3)), second + run.lane);
}

// Sums over all cells of a plane; term_of(d, run) gives the term of a run.
template <int B, class TermOf>
HWY_INLINE void sum_cells(const PlaneShape& shape, PlaneSums sums, const TermOf& term_of) {
  const std::int64_t channels = B == 0 ? shape.channels : B;
  std::fill_n(sums.first, channels, 0.0);
  std::fill_n(sums.second, channels, 0.0);
  for (std::int64_t first = 0; first < shape.cells; first += chunk_cells) {
    const std::int64_t last = std::min(first + chunk_cells, shape.cells);
    if constexpr (B != 0) {
      for_channels<B>(shape, first, last, [&](auto d, const Run& run) HWY_ATTR {
        sum_run(d, run, sums.first, sums.second, term_of(d, run));
      });
    } else {
      std::fill_n(sums.parts, 2 * channels, 0.0f);
      for (std::int64_t cell = first; cell < last; cell += rows_together)
        for_channels<B>(shape, cell, std::min(cell + rows_together, last),
                        [&](auto d, const Run& run) HWY_ATTR {
                          sum_run(d, run, sums.parts, sums.parts + channels, term_of(d, run));
                        });
      for (std::int64_t c = 0; c < channels; ++c) sums.first[c] += sums.parts[c];
      for (std::int64_t c = 0; c < channels; ++c) sums.second[c] += sums.parts[channels + c];
    }
  }
}

template <int B, typename T>
void sum_statistics_of(const StatisticsPlane<T>& p, PlaneSums sums) {
  sum_cells<B>(p.shape, sums, [&p](auto d, const Run& run) HWY_ATTR {
    return [&p, d, origin = load(d, p.origin + run.lane)](std::int64_t i, auto& first, auto& second)
               HWY_ATTR {
                 const auto difference = hn::Sub(load(d, p.x + i), origin);
                 first = hn::Add(first, difference);
                 second = hn::MulAdd(difference, difference, second);
               };
  });
}

template <int B, bool with_residual, typename T>
void normalize_plane_of(const NormalizePlane<T>& p) {
  for_cells<B>(p.shape, [&](auto d, const Run& run) HWY_ATTR {
    const auto mean = hn::LoadU(d, p.mean + run.lane), factor = hn::LoadU(d, p.factor + run.lane);
    const auto shift = hn::LoadU(d, p.shift + run.lane);
    const auto least = hn::Set(d, p.relu ? 0.0f : -std::numeric_limits<float>::infinity());
    for (std::int64_t cell = run.first; cell < run.last; ++cell) {
      const std::int64_t i = run.at(cell);
      auto value = hn::MulAdd(hn::Sub(load(d, p.x + i), mean), factor, shift);
      if constexpr (with_residual) value = hn::Add(value, load(d, p.residual + i));
      store(hn::IfThenElse(hn::Lt(value, least), least, value), d, p.y + i);
    }
  });
}

template <bool summed, bool masked, class D, typename T>
HWY_INLINE hn::Vec<D> load_gradient(D d, const GradientPlane<T>& p, std::int64_t i) {
  auto g = load(d, p.dy + i);
  if constexpr (summed) g = hn::Add(g, load(d, p.more_dy + i));
  if constexpr (masked) g = hn::IfThenElseZero(hn::Gt(load(d, p.y + i), hn::Zero(d)), g);
  return g;
}

template <int B, bool summed, bool masked, typename T>
void sum_gradients_of(const GradientPlane<T>& p, PlaneSums sums) {
  sum_cells<B>(p.shape, sums, [&p](auto d, const Run& run) HWY_ATTR {
    return [&p, d, mean = hn::LoadU(d, p.mean + run.lane)](std::int64_t i, auto& first, auto& second)
               HWY_ATTR {
                 const auto g = load_gradient<summed, masked>(d, p, i);
                 if (p.g != nullptr) store(g, d, p.g + i);
                 first = hn::Add(first, g);
                 second = hn::MulAdd(g, hn::Sub(load(d, p.x + i), mean), second);
               };
  });
}

template <int B, bool summed, bool masked, typename T>
void input_gradient_of(const GradientPlane<T>& p, const GradientFactors& f, T* dx) {
  for_cells<B>(p.shape, [&](auto d, const Run& run) HWY_ATTR {
    const auto mean = hn::LoadU(d, p.mean + run.lane), factor = hn::LoadU(d, f.factor + run.lane);
    const auto g_mean = hn::LoadU(d, f.g_mean + run.lane), slope = hn::LoadU(d, f.slope + run.lane);
    for (std::int64_t cell = run.first; cell < run.last; ++cell) {
      const std::int64_t i = run.at(cell);
      const auto g = load_gradient<summed, masked>(d, p, i);
      const auto normal = hn::Sub(load(d, p.x + i), mean);
      store(hn::Mul(factor, hn::NegMulAdd(normal, slope, hn::Sub(g, g_mean))), d, dx + i);
    }
  });
}

template <int B, typename T>
void normalize_any(const NormalizePlane<T>& p) {
  p.residual != nullptr ? normalize_plane_of<B, true>(p) : normalize_plane_of<B, false>(p);
}

template <int B, typename T>
void sum_gradients_any(const GradientPlane<T>& p, PlaneSums sums) {
  if (p.more_dy != nullptr)
    p.y != nullptr ? sum_gradients_of<B, true, true>(p, sums) : sum_gradients_of<B, true, false>(p, sums);
  else
    p.y != nullptr ? sum_gradients_of<B, false, true>(p, sums) : sum_gradients_of<B, false, false>(p, sums);
}

template <int B, typename T>
void input_gradient_any(const GradientPlane<T>& p, const GradientFactors& f, T* dx) {
  if (p.more_dy != nullptr)
    p.y != nullptr ? input_gradient_of<B, true, true>(p, f, dx) : input_gradient_of<B, true, false>(p, f, dx);
  else
    p.y != nullptr ? input_gradient_of<B, false, true>(p, f, dx)
                   : input_gradient_of<B, false, false>(p, f, dx);
}

void SumStatistics(const StatisticsPlane<float>& p, PlaneSums sums) {
  p.shape.channels == 16 ? sum_statistics_of<16>(p, sums) : sum_statistics_of<8>(p, sums);
}
void SumStatisticsBf16(const StatisticsPlane<std::uint16_t>& p, PlaneSums sums) {
  sum_statistics_of<0>(p, sums);
}
void Normalize(const NormalizePlane<float>& p) {
  p.shape.channels == 16 ? normalize_any<16>(p) : normalize_any<8>(p);
}
void NormalizeBf16(const NormalizePlane<std::uint16_t>& p) { normalize_any<0>(p); }
void SumGradients(const GradientPlane<float>& p, PlaneSums sums) {
  p.shape.channels == 16 ? sum_gradients_any<16>(p, sums) : sum_gradients_any<8>(p, sums);
}
void SumGradientsBf16(const GradientPlane<std::uint16_t>& p, PlaneSums sums) {
  sum_gradients_any<0>(p, sums);
}
void InputGradient(const GradientPlane<float>& p, const GradientFactors& f, float* dx) {
  p.shape.channels == 16 ? input_gradient_any<16>(p, f, dx) : input_gradient_any<8>(p, f, dx);
}
void InputGradientBf16(const GradientPlane<std::uint16_t>& p, const GradientFactors& f, std::uint16_t* dx) {
  input_gradient_any<0>(p, f, dx);
}

}  // namespace
}  // namespace ssd::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ssd::cpu {

HWY_EXPORT(SumStatistics);
HWY_EXPORT(SumStatisticsBf16);
HWY_EXPORT(Normalize);
HWY_EXPORT(NormalizeBf16);
HWY_EXPORT(SumGradients);
HWY_EXPORT(SumGradientsBf16);
HWY_EXPORT(InputGradient);
HWY_EXPORT(InputGradientBf16);

void sum_statistics(const StatisticsPlane<float>& plane, PlaneSums sums) {
  HWY_DYNAMIC_DISPATCH(SumStatistics)(plane, sums);
}
void sum_statistics(const StatisticsPlane<std::uint16_t>& plane, PlaneSums sums) {
  HWY_DYNAMIC_DISPATCH(SumStatisticsBf16)(plane, sums);
}
void normalize_plane(const NormalizePlane<float>& plane) { HWY_DYNAMIC_DISPATCH(Normalize)(plane); }
void normalize_plane(const NormalizePlane<std::uint16_t>& plane) {
  HWY_DYNAMIC_DISPATCH(NormalizeBf16)(plane);
}
void sum_gradients(const GradientPlane<float>& plane, PlaneSums sums) {
  HWY_DYNAMIC_DISPATCH(SumGradients)(plane, sums);
}
void sum_gradients(const GradientPlane<std::uint16_t>& plane, PlaneSums sums) {
  HWY_DYNAMIC_DISPATCH(SumGradientsBf16)(plane, sums);
}
void input_gradient_plane(const GradientPlane<float>& plane, const GradientFactors& factors, float* dx) {
  HWY_DYNAMIC_DISPATCH(InputGradient)(plane, factors, dx);
}
void input_gradient_plane(const GradientPlane<std::uint16_t>& plane, const GradientFactors& factors,
                          std::uint16_t* dx) {
  HWY_DYNAMIC_DISPATCH(InputGradientBf16)(plane, factors, dx);
}

}  // namespace ssd::cpu
#endif
