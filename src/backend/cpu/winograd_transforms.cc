#include "backend/cpu/winograd_transforms.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/winograd_transforms.cc"
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

}  // namespace ssd::cpu::winograd
#endif
