#include "backend/cpu/winograd_kernels.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/winograd_kernels.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace ssd::cpu::winograd::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

template <int B>
using Tag = hn::CappedTag<float, B>;

// The points a, b with their negatives; all products below are exact in f32.
constexpr float point_a = 0.75f, point_b = 1.5f;
constexpr float point_a2 = point_a * point_a, point_b2 = point_b * point_b, point_ab2 = point_a2 * point_b2,
                point_sum2 = point_a2 + point_b2;
constexpr float point_a3 = point_a2 * point_a, point_b3 = point_b2 * point_b;

// One dimension of the patch's transform: out[i] = sum of BT[i][k] in[k], where row i of BT holds the
// coefficients of the polynomial whose roots are the other points.
template <class D, class Load, class Store>
HWY_INLINE void patch_pass(D d, const Load& load, const Store& store) {
  const auto d0 = load(0), d1 = load(1), d2 = load(2), d3 = load(3), d4 = load(4), d5 = load(5);
  const auto a = hn::Set(d, point_a), b = hn::Set(d, point_b), a2 = hn::Set(d, point_a2),
             b2 = hn::Set(d, point_b2);
  const auto ab2 = hn::Set(d, point_ab2), sum2 = hn::Set(d, point_sum2);
  const auto even_a = hn::NegMulAdd(b2, d2, d4), odd_a = hn::Mul(a, hn::NegMulAdd(b2, d1, d3));
  const auto even_b = hn::NegMulAdd(a2, d2, d4), odd_b = hn::Mul(b, hn::NegMulAdd(a2, d1, d3));
  store(0, hn::MulAdd(ab2, d0, hn::NegMulAdd(sum2, d2, d4)));
  store(1, hn::Add(even_a, odd_a));
  store(2, hn::Sub(even_a, odd_a));
  store(3, hn::Add(even_b, odd_b));
  store(4, hn::Sub(even_b, odd_b));
  store(5, hn::MulAdd(ab2, d1, hn::NegMulAdd(sum2, d3, d5)));
}

// out = AT in, 6 -> 4: powers of the points.
template <class D, class Load, class Store>
HWY_INLINE void back_pass(D d, const Load& load, const Store& store) {
  const auto a_sum = hn::Add(load(1), load(2)), a_difference = hn::Sub(load(1), load(2));
  const auto b_sum = hn::Add(load(3), load(4)), b_difference = hn::Sub(load(3), load(4));
  store(0, hn::Add(load(0), hn::Add(a_sum, b_sum)));
  store(1, hn::MulAdd(hn::Set(d, point_a), a_difference, hn::Mul(hn::Set(d, point_b), b_difference)));
  store(2, hn::MulAdd(hn::Set(d, point_a2), a_sum, hn::Mul(hn::Set(d, point_b2), b_sum)));
  store(3, hn::Add(load(5), hn::MulAdd(hn::Set(d, point_a3), a_difference,
                                       hn::Mul(hn::Set(d, point_b3), b_difference))));
}

// out = A in, 4 -> 6: the transpose of back_pass.
template <class D, class Load, class Store>
HWY_INLINE void gradient_pass(D d, const Load& load, const Store& store) {
  const auto y0 = load(0), y1 = load(1), y2 = load(2), y3 = load(3);
  const auto even_a = hn::MulAdd(hn::Set(d, point_a2), y2, y0),
             even_b = hn::MulAdd(hn::Set(d, point_b2), y2, y0);
  const auto odd_a = hn::MulAdd(hn::Set(d, point_a3), y3, hn::Mul(hn::Set(d, point_a), y1));
  const auto odd_b = hn::MulAdd(hn::Set(d, point_b3), y3, hn::Mul(hn::Set(d, point_b), y1));
  store(0, y0);
  store(1, hn::Add(even_a, odd_a));
  store(2, hn::Sub(even_a, odd_a));
  store(3, hn::Add(even_b, odd_b));
  store(4, hn::Sub(even_b, odd_b));
  store(5, y3);
}

// G: row of point p is (1, p, p^2) over the product of its distances to the other points.
constexpr float scale_0 = static_cast<float>(1.0 / (0.5625 * 2.25));
constexpr float scale_a = static_cast<float>(1.0 / (2 * 0.5625 * (0.5625 - 2.25)));
constexpr float scale_b = static_cast<float>(1.0 / (2 * 2.25 * (2.25 - 0.5625)));

template <class D, class Load, class Store>
HWY_INLINE void weight_pass(D d, const Load& load, const Store& store) {
  const auto g0 = load(0), g1 = load(1), g2 = load(2);
  const auto even_a = hn::MulAdd(hn::Set(d, point_a2), g2, g0), odd_a = hn::Mul(hn::Set(d, point_a), g1);
  const auto even_b = hn::MulAdd(hn::Set(d, point_b2), g2, g0), odd_b = hn::Mul(hn::Set(d, point_b), g1);
  store(0, hn::Mul(hn::Set(d, scale_0), g0));
  store(1, hn::Mul(hn::Set(d, scale_a), hn::Add(even_a, odd_a)));
  store(2, hn::Mul(hn::Set(d, scale_a), hn::Sub(even_a, odd_a)));
  store(3, hn::Mul(hn::Set(d, scale_b), hn::Add(even_b, odd_b)));
  store(4, hn::Mul(hn::Set(d, scale_b), hn::Sub(even_b, odd_b)));
  store(5, g2);
}

// out = GT in, 6 -> 3: the transpose of weight_pass.
template <class D, class Load, class Store>
HWY_INLINE void weight_back_pass(D d, const Load& load, const Store& store) {
  const auto ga = hn::Set(d, scale_a), gb = hn::Set(d, scale_b);
  const auto a_sum = hn::Mul(ga, hn::Add(load(1), load(2))),
             a_difference = hn::Mul(ga, hn::Sub(load(1), load(2)));
  const auto b_sum = hn::Mul(gb, hn::Add(load(3), load(4))),
             b_difference = hn::Mul(gb, hn::Sub(load(3), load(4)));
  store(0, hn::MulAdd(hn::Set(d, scale_0), load(0), hn::Add(a_sum, b_sum)));
  store(1, hn::MulAdd(hn::Set(d, point_a), a_difference, hn::Mul(hn::Set(d, point_b), b_difference)));
  store(2, hn::Add(load(5), hn::MulAdd(hn::Set(d, point_a2), a_sum, hn::Mul(hn::Set(d, point_b2), b_sum))));
}

// Room for the half-transformed values of one vector.
template <int B>
struct alignas(64) Half {
  float values[points * B];
};

template <int B, class D>
HWY_INLINE hn::Vec<D> load_cell(D d, const Corner& c, const float* plane, std::int64_t i, std::int64_t j) {
  const std::int64_t row = c.row + i, column = c.column + j;
  if (row < 0 || row >= c.rows || column < 0 || column >= c.columns) return hn::Zero(d);
  return hn::LoadU(d, plane + (row * c.columns + column) * B);
}

template <int B>
void patch_block(const Corner& c, const float* plane, float* out, std::int64_t point_stride) {
  const Tag<B> d;
  using D = Tag<B>;
  const bool inside = c.row >= 0 && c.column >= 0 && c.row + patch <= c.rows && c.column + patch <= c.columns;
  for (std::int64_t lane = 0; lane < B; lane += static_cast<std::int64_t>(hn::Lanes(d))) {
    Half<B> half;
    const float* first = plane + (c.row * c.columns + c.column) * B + lane;
    for (std::int64_t j = 0; j < patch; ++j) {
      const auto store = [&](std::int64_t i, hn::Vec<D> v)
                             HWY_ATTR { hn::StoreU(v, d, half.values + (i * patch + j) * B); };
      if (inside)
        patch_pass(
            d, [&](std::int64_t i) HWY_ATTR { return hn::LoadU(d, first + (i * c.columns + j) * B); }, store);
      else
        patch_pass(
            d, [&](std::int64_t i) HWY_ATTR { return load_cell<B>(d, c, plane + lane, i, j); }, store);
    }
    for (std::int64_t i = 0; i < patch; ++i)
      patch_pass(
          d, [&](std::int64_t j) HWY_ATTR { return hn::LoadU(d, half.values + (i * patch + j) * B); },
          [&](std::int64_t j, hn::Vec<D> v)
              HWY_ATTR { hn::StoreU(v, d, out + (i * patch + j) * point_stride + lane); });
  }
}

template <int B>
void gradient_block(const Corner& c, const float* plane, float* out, std::int64_t point_stride) {
  const Tag<B> d;
  using D = Tag<B>;
  for (std::int64_t lane = 0; lane < B; lane += static_cast<std::int64_t>(hn::Lanes(d))) {
    Half<B> half;
    for (std::int64_t j = 0; j < tile; ++j)
      gradient_pass(
          d, [&](std::int64_t i) HWY_ATTR { return load_cell<B>(d, c, plane + lane, i, j); },
          [&](std::int64_t i, hn::Vec<D> v) HWY_ATTR { hn::StoreU(v, d, half.values + (i * tile + j) * B); });
    for (std::int64_t i = 0; i < patch; ++i)
      gradient_pass(
          d, [&](std::int64_t j) HWY_ATTR { return hn::LoadU(d, half.values + (i * tile + j) * B); },
          [&](std::int64_t j, hn::Vec<D> v)
              HWY_ATTR { hn::StoreU(v, d, out + (i * patch + j) * point_stride + lane); });
  }
}

template <int B>
void back_block(const Corner& c, const float* in, std::int64_t point_stride, const Epilogue& e,
                float* plane) {
  const Tag<B> d;
  using D = Tag<B>;
  const std::int64_t columns = std::min(tile, c.columns - c.column);
  for (std::int64_t lane = 0; lane < B; lane += static_cast<std::int64_t>(hn::Lanes(d))) {
    Half<B> half;
    for (std::int64_t j = 0; j < patch; ++j)
      back_pass(
          d,
          [&](std::int64_t i) HWY_ATTR { return hn::LoadU(d, in + (i * patch + j) * point_stride + lane); },
          [&](std::int64_t i, hn::Vec<D> v)
              HWY_ATTR { hn::StoreU(v, d, half.values + (i * patch + j) * B); });
    const auto bias = e.bias != nullptr ? hn::LoadU(d, e.bias + lane) : hn::Zero(d);
    for (std::int64_t i = 0; i < std::min(tile, c.rows - c.row); ++i) {
      const std::int64_t first = ((c.row + i) * c.columns + c.column) * B + lane;
      back_pass(
          d, [&](std::int64_t j) HWY_ATTR { return hn::LoadU(d, half.values + (i * patch + j) * B); },
          [&](std::int64_t j, hn::Vec<D> v) HWY_ATTR {
            if (j >= columns) return;
            v = hn::Add(v, bias);
            if (e.residual != nullptr) v = hn::Add(v, hn::LoadU(d, e.residual + first + j * B));
            if (e.relu) v = hn::IfThenElse(hn::Lt(v, hn::Zero(d)), hn::Zero(d), v);
            hn::StoreU(v, d, plane + first + j * B);
          });
    }
  }
}

template <int B>
void weight_block(const float* taps, std::int64_t tap_stride, float* out, std::int64_t point_stride) {
  const Tag<B> d;
  using D = Tag<B>;
  for (std::int64_t lane = 0; lane < B; lane += static_cast<std::int64_t>(hn::Lanes(d))) {
    Half<B> half;
    for (std::int64_t j = 0; j < 3; ++j)
      weight_pass(
          d, [&](std::int64_t i) HWY_ATTR { return hn::LoadU(d, taps + (i * 3 + j) * tap_stride + lane); },
          [&](std::int64_t i, hn::Vec<D> v) HWY_ATTR { hn::StoreU(v, d, half.values + (i * 3 + j) * B); });
    for (std::int64_t i = 0; i < patch; ++i)
      weight_pass(
          d, [&](std::int64_t j) HWY_ATTR { return hn::LoadU(d, half.values + (i * 3 + j) * B); },
          [&](std::int64_t j, hn::Vec<D> v)
              HWY_ATTR { hn::StoreU(v, d, out + (i * patch + j) * point_stride + lane); });
  }
}

template <int B>
void weight_back_block(const float* in, std::int64_t point_stride, float* taps, std::int64_t tap_stride) {
  const Tag<B> d;
  using D = Tag<B>;
  for (std::int64_t lane = 0; lane < B; lane += static_cast<std::int64_t>(hn::Lanes(d))) {
    Half<B> half;
    for (std::int64_t j = 0; j < patch; ++j)
      weight_back_pass(
          d,
          [&](std::int64_t i) HWY_ATTR { return hn::LoadU(d, in + (i * patch + j) * point_stride + lane); },
          [&](std::int64_t i, hn::Vec<D> v)
              HWY_ATTR { hn::StoreU(v, d, half.values + (i * patch + j) * B); });
    for (std::int64_t i = 0; i < 3; ++i)
      weight_back_pass(
          d, [&](std::int64_t j) HWY_ATTR { return hn::LoadU(d, half.values + (i * patch + j) * B); },
          [&](std::int64_t j, hn::Vec<D> v)
              HWY_ATTR { hn::StoreU(v, d, taps + (i * 3 + j) * tap_stride + lane); });
  }
}

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

void Patch(const Corner& c, const float* plane, float* out, std::int64_t stride) {
  c.block == 16 ? patch_block<16>(c, plane, out, stride) : patch_block<8>(c, plane, out, stride);
}
void Gradient(const Corner& c, const float* plane, float* out, std::int64_t stride) {
  c.block == 16 ? gradient_block<16>(c, plane, out, stride) : gradient_block<8>(c, plane, out, stride);
}
void Back(const Corner& c, const float* in, std::int64_t stride, const Epilogue& e, float* plane) {
  c.block == 16 ? back_block<16>(c, in, stride, e, plane) : back_block<8>(c, in, stride, e, plane);
}
void Weight(const float* taps, std::int64_t tap_stride, std::int64_t block, float* out, std::int64_t stride) {
  block == 16 ? weight_block<16>(taps, tap_stride, out, stride)
              : weight_block<8>(taps, tap_stride, out, stride);
}
void WeightBack(const float* in, std::int64_t stride, std::int64_t block, float* taps,
                std::int64_t tap_stride) {
  block == 16 ? weight_back_block<16>(in, stride, taps, tap_stride)
              : weight_back_block<8>(in, stride, taps, tap_stride);
}
void Multiply(const PointProduct& p) { p.block == 16 ? multiply_block<16>(p) : multiply_block<8>(p); }
void SumProducts(const PointSum& p) { p.block == 16 ? sum_products_block<16>(p) : sum_products_block<8>(p); }

}  // namespace
}  // namespace ssd::cpu::winograd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ssd::cpu::winograd {

HWY_EXPORT(Patch);
HWY_EXPORT(Gradient);
HWY_EXPORT(Back);
HWY_EXPORT(Weight);
HWY_EXPORT(WeightBack);
HWY_EXPORT(Multiply);
HWY_EXPORT(SumProducts);

void transform_patch(const Corner& corner, const float* plane, float* out, std::int64_t point_stride) {
  HWY_DYNAMIC_DISPATCH(Patch)(corner, plane, out, point_stride);
}
void transform_gradient(const Corner& corner, const float* plane, float* out, std::int64_t point_stride) {
  HWY_DYNAMIC_DISPATCH(Gradient)(corner, plane, out, point_stride);
}
void transform_back(const Corner& corner, const float* in, std::int64_t point_stride,
                    const Epilogue& epilogue, float* plane) {
  HWY_DYNAMIC_DISPATCH(Back)(corner, in, point_stride, epilogue, plane);
}
void transform_weight(const float* taps, std::int64_t tap_stride, std::int64_t block, float* out,
                      std::int64_t point_stride) {
  HWY_DYNAMIC_DISPATCH(Weight)(taps, tap_stride, block, out, point_stride);
}
void transform_weight_back(const float* in, std::int64_t point_stride, std::int64_t block, float* taps,
                           std::int64_t tap_stride) {
  HWY_DYNAMIC_DISPATCH(WeightBack)(in, point_stride, block, taps, tap_stride);
}
void multiply(const PointProduct& product) { HWY_DYNAMIC_DISPATCH(Multiply)(product); }
void sum_products(const PointSum& sum) { HWY_DYNAMIC_DISPATCH(SumProducts)(sum); }

}  // namespace ssd::cpu::winograd
#endif
