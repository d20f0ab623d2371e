#include "backend/cpu/winograd_products.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/winograd_products.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace ssd::cpu::winograd::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

template <int B>
using Tag = hn::CappedTag<float, B>;

// 6 tiles by two vectors of outputs: 12 sums in registers, each multiplied value loaded once.
// v: [6][count], u: rows of `u_width`, m: rows of `m_width`.
struct MicroTile {
  const float* v;
  std::int64_t v_width;
  const float* u;
  std::int64_t u_width;
  float* m;
  std::int64_t m_width;
  std::int64_t count;
};

template <bool accumulate, class D>
HWY_INLINE void multiply_tile(D d, const MicroTile& t) {
  const auto n = static_cast<std::int64_t>(hn::Lanes(d));
  float *m0 = t.m, *m1 = m0 + t.m_width, *m2 = m1 + t.m_width, *m3 = m2 + t.m_width, *m4 = m3 + t.m_width,
        *m5 = m4 + t.m_width;
  const auto start = [&](const float* from) HWY_ATTR {
    if constexpr (accumulate) return hn::LoadU(d, from);
    return hn::Zero(d);
  };
  auto s00 = start(m0), s01 = start(m0 + n), s10 = start(m1), s11 = start(m1 + n), s20 = start(m2),
       s21 = start(m2 + n), s30 = start(m3), s31 = start(m3 + n), s40 = start(m4), s41 = start(m4 + n),
       s50 = start(m5), s51 = start(m5 + n);
  const float *v0 = t.v, *v1 = v0 + t.v_width, *v2 = v1 + t.v_width, *v3 = v2 + t.v_width,
              *v4 = v3 + t.v_width, *v5 = v4 + t.v_width, *u = t.u;
  for (std::int64_t k = 0; k < t.count; ++k, u += t.u_width) {
    const auto u0 = hn::LoadU(d, u), u1 = hn::LoadU(d, u + n);
    auto v = hn::Set(d, v0[k]);
    s00 = hn::MulAdd(v, u0, s00), s01 = hn::MulAdd(v, u1, s01), v = hn::Set(d, v1[k]);
    s10 = hn::MulAdd(v, u0, s10), s11 = hn::MulAdd(v, u1, s11), v = hn::Set(d, v2[k]);
    s20 = hn::MulAdd(v, u0, s20), s21 = hn::MulAdd(v, u1, s21), v = hn::Set(d, v3[k]);
    s30 = hn::MulAdd(v, u0, s30), s31 = hn::MulAdd(v, u1, s31), v = hn::Set(d, v4[k]);
    s40 = hn::MulAdd(v, u0, s40), s41 = hn::MulAdd(v, u1, s41), v = hn::Set(d, v5[k]);
    s50 = hn::MulAdd(v, u0, s50), s51 = hn::MulAdd(v, u1, s51);
  }
  hn::StoreU(s00, d, m0), hn::StoreU(s01, d, m0 + n), hn::StoreU(s10, d, m1), hn::StoreU(s11, d, m1 + n);
  hn::StoreU(s20, d, m2), hn::StoreU(s21, d, m2 + n), hn::StoreU(s30, d, m3), hn::StoreU(s31, d, m3 + n);
  hn::StoreU(s40, d, m4), hn::StoreU(s41, d, m4 + n), hn::StoreU(s50, d, m5), hn::StoreU(s51, d, m5 + n);
}

template <int B>
void multiply_block(const PointProduct& p) {
  const Tag<B> d;
  const std::int64_t width = 2 * B, step = 2 * static_cast<std::int64_t>(hn::Lanes(d));
  for (std::int64_t k = 0; k < p.channels; k += depth) {
    const std::int64_t count = std::min(depth, p.channels - k);
    for (std::int64_t panel = p.first_panel; panel < p.last_panel; ++panel)
      for (std::int64_t g = 0; g < p.groups; ++g)
        for (std::int64_t lane = 0; lane < width; lane += step) {
          const MicroTile t{.v = p.v + g * p.v_stride + k * group,
                            .v_width = count,
                            .u = p.u + (panel * p.channels + k) * width + lane,
                            .u_width = width,
                            .m = p.m + g * p.m_stride + panel * width + lane,
                            .m_width = p.m_width,
                            .count = count};
          k == 0 ? multiply_tile<false>(d, t) : multiply_tile<true>(d, t);
        }
  }
}

// 4 channels by `vectors` (2 or 3) vectors of outputs.
template <int vectors, bool accumulate, class D>
HWY_INLINE void sum_tile(D d, const float* v, const float* w, float* s, std::int64_t tiles,
                         std::int64_t block, std::int64_t w_stride, std::int64_t s_stride) {
  const auto start = [&](std::int64_t vector, std::int64_t row) HWY_ATTR {
    if constexpr (accumulate)
      if (vector < vectors) return hn::LoadU(d, s + vector * s_stride + row * block);
    return hn::Zero(d);
  };
  auto s00 = start(0, 0), s01 = start(0, 1), s02 = start(0, 2), s03 = start(0, 3);
  auto s10 = start(1, 0), s11 = start(1, 1), s12 = start(1, 2), s13 = start(1, 3);
  auto s20 = start(2, 0), s21 = start(2, 1), s22 = start(2, 2), s23 = start(2, 3);
  for (std::int64_t t = 0; t < tiles; ++t, v += block, w += block) {
    const auto w0 = hn::LoadU(d, w), w1 = hn::LoadU(d, w + w_stride);
    const auto v0 = hn::Set(d, v[0]), v1 = hn::Set(d, v[1]);
    s00 = hn::MulAdd(v0, w0, s00), s10 = hn::MulAdd(v0, w1, s10);
    s01 = hn::MulAdd(v1, w0, s01), s11 = hn::MulAdd(v1, w1, s11);
    const auto v2 = hn::Set(d, v[2]), v3 = hn::Set(d, v[3]);
    s02 = hn::MulAdd(v2, w0, s02), s12 = hn::MulAdd(v2, w1, s12);
    s03 = hn::MulAdd(v3, w0, s03), s13 = hn::MulAdd(v3, w1, s13);
    if constexpr (vectors == 3) {
      const auto w2 = hn::LoadU(d, w + 2 * w_stride);
      s20 = hn::MulAdd(v0, w2, s20), s21 = hn::MulAdd(v1, w2, s21);
      s22 = hn::MulAdd(v2, w2, s22), s23 = hn::MulAdd(v3, w2, s23);
    }
  }
  hn::StoreU(s00, d, s), hn::StoreU(s01, d, s + block), hn::StoreU(s02, d, s + 2 * block);
  hn::StoreU(s03, d, s + 3 * block), s += s_stride;
  hn::StoreU(s10, d, s), hn::StoreU(s11, d, s + block), hn::StoreU(s12, d, s + 2 * block);
  hn::StoreU(s13, d, s + 3 * block), s += s_stride;
  if constexpr (vectors == 3) {
    hn::StoreU(s20, d, s), hn::StoreU(s21, d, s + block), hn::StoreU(s22, d, s + 2 * block);
    hn::StoreU(s23, d, s + 3 * block);
  }
}

template <int B, int vectors>
HWY_INLINE void sum_blocks(const PointSum& p, std::int64_t first) {
  const Tag<B> d;
  const std::int64_t plane = p.stride * B, s_stride = p.channel_blocks * B * B;
  for (std::int64_t cb = 0; cb < p.channel_blocks; ++cb)
    for (std::int64_t row = 0; row < B; row += 4)
      for (std::int64_t lane = 0; lane < B; lane += static_cast<std::int64_t>(hn::Lanes(d))) {
        const float *v = p.v + cb * plane + row, *w = p.w + first * plane + lane;
        float* s = p.s + first * s_stride + (cb * B + row) * B + lane;
        if (p.accumulate)
          sum_tile<vectors, true>(d, v, w, s, p.tiles, B, plane, s_stride);
        else
          sum_tile<vectors, false>(d, v, w, s, p.tiles, B, plane, s_stride);
      }
}

// Blocks by threes, with twos at the end where that does not come out.
template <int B>
void sum_products_block(const PointSum& p) {
  std::int64_t first = p.first_block;
  while (first < p.last_block) {
    const std::int64_t left = p.last_block - first;
    if (left == 2 || left == 4) {
      sum_blocks<B, 2>(p, first);
      first += 2;
    } else {
      sum_blocks<B, 3>(p, first);
      first += 3;
    }
  }
}

void Multiply(const PointProduct& p) { p.block == 16 ? multiply_block<16>(p) : multiply_block<8>(p); }
void SumProducts(const PointSum& p) { p.block == 16 ? sum_products_block<16>(p) : sum_products_block<8>(p); }

}  // namespace
}  // namespace ssd::cpu::winograd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ssd::cpu::winograd {

HWY_EXPORT(Multiply);
HWY_EXPORT(SumProducts);

void multiply(const PointProduct& product) { HWY_DYNAMIC_DISPATCH(Multiply)(product); }
void sum_products(const PointSum& sum) { HWY_DYNAMIC_DISPATCH(SumProducts)(sum); }

}  // namespace ssd::cpu::winograd
#endif
