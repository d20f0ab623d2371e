#include "image/colour.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <cstdlib>
#include <numbers>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "image/colour.cc"
#include <hwy/foreach_target.h>
// After foreach_target.h
#include <hwy/highway.h>

#ifndef SSD_DATA_COLOUR_MAP
#define SSD_DATA_COLOUR_MAP
namespace ssd {
namespace {

// out[i] = (sum over j of factors[i][j] * in[j] + offset + a half) >> places
struct FixedMap {
  std::array<std::array<std::int16_t, 4>, 3> factors{};  // the fourth is 0
  std::int32_t offset = 0;                               // the same for all: contrast and rounding
  int places = 0;
};

}  // namespace
}  // namespace ssd
#endif

HWY_BEFORE_NAMESPACE();
namespace ssd {
namespace HWY_NAMESPACE {
namespace {

#if HWY_TARGET == HWY_SCALAR  // processors without 16-byte shuffles

void map_all(std::uint8_t* rgb, std::size_t bytes, const FixedMap& map) {
  for (std::size_t at = 0; at < bytes; at += 3) {
    const std::array<std::int32_t, 3> in = {rgb[at], rgb[at + 1], rgb[at + 2]};
    for (std::size_t i = 0; i < 3; ++i) {
      std::int32_t sum = map.offset;
      for (std::size_t j = 0; j < 3; ++j) sum += map.factors[i][j] * in[j];
      rgb[at + i] = static_cast<std::uint8_t>(std::clamp(sum >> map.places, 0, 255));
    }
  }
}

#else

namespace hn = hwy::HWY_NAMESPACE;
#if HWY_HAVE_SCALABLE
using ColourBytes = hn::FixedTag<std::uint8_t, 16>;
#else
using ColourBytes = hn::CappedTag<std::uint8_t, 64>;
#endif
using ColourWords = hn::Repartition<std::int16_t, ColourBytes>;
using ColourLongs = hn::Repartition<std::int32_t, ColourBytes>;
using VBytes = hn::Vec<ColourBytes>;
using VWords = hn::Vec<ColourWords>;
using VLongs = hn::Vec<ColourLongs>;

HWY_INLINE VLongs add_pair_products(VWords a, VWords b, VLongs sum) {
  VLongs odd = hn::Zero(ColourLongs());
  const VLongs even = hn::ReorderWidenMulAccumulate(ColourLongs(), a, b, sum, odd);
  return hn::RearrangeToOddPlusEven(even, odd);
}

HWY_INLINE VWords factor_pair(std::int16_t a, std::int16_t b) {
  const std::uint32_t pair = static_cast<std::uint16_t>(a) | std::uint32_t{static_cast<std::uint16_t>(b)}
                                                                 << 16;
  return hn::BitCast(ColourWords(), hn::Set(ColourLongs(), static_cast<std::int32_t>(pair)));
}

// Half of a vector's pixels, widened: (red, green) and (blue, 0) of the same pixel side by side.
struct PixelHalf {
  VWords red_green_low, red_green_high, blue_low, blue_high;
};

HWY_INLINE PixelHalf side_by_side(VWords red, VWords green, VWords blue) {
  const ColourWords d;
  const VWords zero = hn::Zero(d);
  return {hn::InterleaveLower(d, red, green), hn::InterleaveUpper(d, red, green),
          hn::InterleaveLower(d, blue, zero), hn::InterleaveUpper(d, blue, zero)};
}

// One component of the result, in 16 bits. Interleaving and narrowing both go block by block.
HWY_INLINE VWords map_component(const PixelHalf& in, VWords red_green, VWords blue, const FixedMap& map) {
  VLongs low = hn::Set(ColourLongs(), map.offset);
  VLongs high = low;
  low = add_pair_products(in.red_green_low, red_green, low);
  low = add_pair_products(in.blue_low, blue, low);
  high = add_pair_products(in.red_green_high, red_green, high);
  high = add_pair_products(in.blue_high, blue, high);
  return hn::ReorderDemote2To(ColourWords(), hn::ShiftRightSame(low, map.places),
                              hn::ShiftRightSame(high, map.places));
}

HWY_INLINE VBytes narrow(VWords low, VWords high) {
  const hn::Half<ColourBytes> half;
  return hn::Combine(ColourBytes(), hn::DemoteTo(half, high), hn::DemoteTo(half, low));
}

// One vector of pixels at `rgb`.
HWY_INLINE void map_pixels(std::uint8_t* rgb, const FixedMap& map) {
  const ColourBytes d;
  const ColourWords dw;
  const hn::Half<ColourBytes> half;
  VBytes red, green, blue;
  hn::LoadInterleaved3(d, rgb, red, green, blue);
  const PixelHalf low =
      side_by_side(hn::PromoteTo(dw, hn::LowerHalf(half, red)), hn::PromoteTo(dw, hn::LowerHalf(half, green)),
                   hn::PromoteTo(dw, hn::LowerHalf(half, blue)));
  const PixelHalf high =
      side_by_side(hn::PromoteTo(dw, hn::UpperHalf(half, red)), hn::PromoteTo(dw, hn::UpperHalf(half, green)),
                   hn::PromoteTo(dw, hn::UpperHalf(half, blue)));
  const auto component = [&](const std::array<std::int16_t, 4>& factors) HWY_ATTR {
    const VWords red_green = factor_pair(factors[0], factors[1]);
    const VWords only_blue = factor_pair(factors[2], factors[3]);
    return narrow(map_component(low, red_green, only_blue, map),
                  map_component(high, red_green, only_blue, map));
  };
  hn::StoreInterleaved3(component(map.factors[0]), component(map.factors[1]), component(map.factors[2]), d,
                        rgb);
}

void map_all(std::uint8_t* rgb, std::size_t bytes, const FixedMap& map) {
  constexpr std::size_t step = 3 * hn::MaxLanes(ColourBytes());
  std::size_t at = 0;
  for (; at + step <= bytes; at += step) map_pixels(rgb + at, map);
  if (at < bytes) {
    HWY_ALIGN std::uint8_t last[step] = {};
    std::copy(rgb + at, rgb + bytes, last);
    map_pixels(last, map);
    std::copy(last, last + (bytes - at), rgb + at);
  }
}

#endif  // HWY_SCALAR

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace ssd
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ssd {
namespace {

HWY_EXPORT(map_all);

using Matrix = std::array<std::array<double, 3>, 3>;

Matrix product(const Matrix& a, const Matrix& b) {
  Matrix out{};
  for (std::size_t i = 0; i < 3; ++i) {
    for (std::size_t j = 0; j < 3; ++j) {
      for (std::size_t k = 0; k < 3; ++k) out[i][j] += a[i][k] * b[k][j];
    }
  }
  return out;
}

// NTSC's YIQ and back, with the three decimal places it is defined with.
constexpr Matrix to_yiq = {{{0.299, 0.587, 0.114}, {0.596, -0.274, -0.321}, {0.211, -0.523, 0.311}}};
constexpr Matrix from_yiq = {{{1, 0.956, 0.621}, {1, -0.272, -0.647}, {1, -1.107, 1.705}}};

// The map in as many binary places as its largest factor leaves in 16 bits.
FixedMap fixed_map(const ColourTwist& twist) {
  const double angle = twist.hue_degrees * std::numbers::pi / 180;
  const double along = twist.saturation * std::cos(angle);
  const double across = twist.saturation * std::sin(angle);
  const Matrix chroma = {{{1, 0, 0}, {0, along, across}, {0, -across, along}}};
  Matrix map = product(from_yiq, product(chroma, to_yiq));
  double largest = 0;
  for (auto& row : map) {
    for (double& factor : row) {
      factor *= twist.brightness * twist.contrast;
      largest = std::max(largest, std::abs(factor));
    }
  }
  FixedMap fixed;
  fixed.places = 14;
  while (fixed.places > 0 && largest * (1 << fixed.places) > 32767) --fixed.places;
  const double one = 1 << fixed.places;
  for (std::size_t i = 0; i < 3; ++i) {
    for (std::size_t j = 0; j < 3; ++j) {
      const double factor = std::clamp(map[twist.order[i]][j] * one, -32767.0, 32767.0);
      fixed.factors[i][j] = static_cast<std::int16_t>(std::lround(factor));
    }
  }
  const double offset = std::clamp(128 * twist.brightness * (1 - twist.contrast), -16384.0, 16384.0);
  fixed.offset = static_cast<std::int32_t>(std::lround((offset + 0.5) * one));
  return fixed;
}

}  // namespace

void twist(std::span<std::uint8_t> rgb, const ColourTwist& twist) {
  assert(rgb.size() % 3 == 0);
  const FixedMap map = fixed_map(twist);
  HWY_DYNAMIC_DISPATCH(map_all)(rgb.data(), rgb.size(), map);
}

}  // namespace ssd
#endif
