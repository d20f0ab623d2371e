#include "image/resize_kernels.h"

#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "image/resize_kernels.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "image/resize.h"

HWY_BEFORE_NAMESPACE();
namespace ssd::resize_kernels::HWY_NAMESPACE {
namespace {

#if HWY_TARGET == HWY_SCALAR  // processors without 16-byte shuffles

int rows_at_once_here() { return 1; }

void filter_columns_here(const Columns& job) {
  constexpr int shift = ResizeWeights::weight_bits - row_binary_places;
  for (int column = 0; column < job.count; ++column) {
    const std::uint8_t* pixels = job.rows[0] + job.offsets[column];
    const std::int16_t* weights = job.weights + static_cast<std::ptrdiff_t>(column) * job.taps;
    for (int c = 0; c < 3; ++c) {
      std::int32_t sum = 1 << (shift - 1);
      for (int k = 0; k < job.taps; ++k) sum += weights[k] * pixels[3 * k + c];
      job.out[0][3 * column + c] = static_cast<std::int16_t>(sum >> shift);
    }
  }
}

void filter_row_here(const Row& job) {
  constexpr int shift = ResizeWeights::weight_bits + row_binary_places;
  for (int i = 0; i < job.elements; ++i) {
    std::int32_t sum = 1 << (shift - 1);
    for (int k = 0; k < job.taps; ++k) sum += job.weights[k] * job.rows[k][i];
    job.out[i] = static_cast<std::uint8_t>(sum >> shift);
  }
}

#else

namespace hn = hwy::HWY_NAMESPACE;

// A vector is taken as blocks of 16 bytes, one a row: shuffles and weights are then the same for all rows.
#if HWY_HAVE_SCALABLE
using Bytes = hn::FixedTag<std::uint8_t, 16>;
#else
using Bytes = hn::CappedTag<std::uint8_t, 64>;
#endif
using Words = hn::Repartition<std::int16_t, Bytes>;
using Longs = hn::Repartition<std::int32_t, Bytes>;
using VBytes = hn::Vec<Bytes>;
using VWords = hn::Vec<Words>;
using VLongs = hn::Vec<Longs>;
constexpr int blocks = static_cast<int>(hn::MaxLanes(Bytes()) / 16);

HWY_INLINE VBytes load_rows(const std::uint8_t* const* rows, std::int32_t offset) {
  const Bytes d;
  if constexpr (blocks == 1) {
    return hn::LoadU(d, rows[0] + offset);
  } else {
    const hn::Half<Bytes> half;
    if constexpr (blocks == 2) {
      return hn::Combine(d, hn::LoadU(half, rows[1] + offset), hn::LoadU(half, rows[0] + offset));
    } else {
      const hn::Half<decltype(half)> quarter;
      const auto low =
          hn::Combine(half, hn::LoadU(quarter, rows[1] + offset), hn::LoadU(quarter, rows[0] + offset));
      const auto high =
          hn::Combine(half, hn::LoadU(quarter, rows[3] + offset), hn::LoadU(quarter, rows[2] + offset));
      return hn::Combine(d, high, low);
    }
  }
}

HWY_INLINE void store_rows(VWords v, std::int16_t* const* rows, int at) {
  const Words d;
  if constexpr (blocks == 1) {
    hn::StoreU(v, d, rows[0] + at);
  } else {
    const hn::Half<Words> half;
    if constexpr (blocks == 2) {
      hn::StoreU(hn::LowerHalf(half, v), half, rows[0] + at);
      hn::StoreU(hn::UpperHalf(half, v), half, rows[1] + at);
    } else {
      const hn::Half<decltype(half)> quarter;
      const auto low = hn::LowerHalf(half, v);
      const auto high = hn::UpperHalf(half, v);
      hn::StoreU(hn::LowerHalf(quarter, low), quarter, rows[0] + at);
      hn::StoreU(hn::UpperHalf(quarter, low), quarter, rows[1] + at);
      hn::StoreU(hn::LowerHalf(quarter, high), quarter, rows[2] + at);
      hn::StoreU(hn::UpperHalf(quarter, high), quarter, rows[3] + at);
    }
  }
}

// sum + a[2i] * b[2i] + a[2i + 1] * b[2i + 1]
HWY_INLINE VLongs add_pair_products(VWords a, VWords b, VLongs sum) {
  const Longs d;
  VLongs odd = hn::Zero(d);
  const VLongs even = hn::ReorderWidenMulAccumulate(d, a, b, sum, odd);
  return hn::RearrangeToOddPlusEven(even, odd);
}

// Two neighbouring weights in every pair of lanes.
HWY_INLINE VWords weight_pair(const std::int16_t* weights) {
  std::int32_t pair;
  std::memcpy(&pair, weights, sizeof(pair));
  return hn::BitCast(Words(), hn::Set(Longs(), pair));
}

// Five pixels R G B lie in 16 bytes; these spread two of them, zero-extended, as R R' G G' B B' 0 0.
constexpr std::uint8_t none = 0x80;
HWY_ALIGN constexpr std::uint8_t order_pixels01[16] = {0, none, 3, none, 1,    none, 4,    none,
                                                       2, none, 5, none, none, none, none, none};
HWY_ALIGN constexpr std::uint8_t order_pixels23[16] = {6, none, 9,  none, 7,    none, 10,   none,
                                                       8, none, 11, none, none, none, none, none};
HWY_ALIGN constexpr std::uint8_t order_pixel4[16] = {12, none, none, none, 13,   none, none, none,
                                                     14, none, none, none, none, none, none, none};
// Two pixels R G B x R G B x of 16 bits, close together.
HWY_ALIGN constexpr std::uint8_t drop_fourth[16] = {0,  1,  2,  3,  4,    5,    8,    9,
                                                    10, 11, 12, 13, none, none, none, none};

// One destination pixel of every row: R, G, B, 0 in each block.
template <int taps>
HWY_INLINE VLongs filter_pixel(const Columns& job, int column) {
  const Bytes d;
  const Words dw;
  const VBytes pixels01 = hn::LoadDup128(d, order_pixels01);
  const VBytes pixels23 = hn::LoadDup128(d, order_pixels23);
  const std::int32_t offset = job.offsets[column];
  const auto spread = [&](VBytes v, VBytes order)
                          HWY_ATTR { return hn::BitCast(dw, hn::TableLookupBytesOr0(v, order)); };
  VLongs sum = hn::Set(Longs(), 1 << (ResizeWeights::weight_bits - row_binary_places - 1));
  if constexpr (taps == 0) {  // any multiple of 4
    const std::int16_t* weights = job.weights + static_cast<std::ptrdiff_t>(column) * job.taps;
    for (int k = 0; k < job.taps; k += 4) {
      const VBytes v = load_rows(job.rows, offset + 3 * k);
      sum = add_pair_products(spread(v, pixels01), weight_pair(weights + k), sum);
      sum = add_pair_products(spread(v, pixels23), weight_pair(weights + k + 2), sum);
    }
  } else {
    const std::int16_t* weights = job.weights + static_cast<std::ptrdiff_t>(column) * taps;
    const VBytes v = load_rows(job.rows, offset);
    sum = add_pair_products(spread(v, pixels01), weight_pair(weights), sum);
    sum = add_pair_products(spread(v, pixels23), weight_pair(weights + 2), sum);
    if constexpr (taps == 6) {
      sum = add_pair_products(spread(v, hn::LoadDup128(d, order_pixel4)), weight_pair(weights + 4), sum);
    }
  }
  return hn::ShiftRight<ResizeWeights::weight_bits - row_binary_places>(sum);
}

template <int taps>
HWY_INLINE void filter_all_columns(const Columns& job) {
  const auto close = hn::BitCast(Words(), hn::LoadDup128(Bytes(), drop_fourth));
  for (int column = 0; column < job.count; column += 2) {
    const VLongs one = filter_pixel<taps>(job, column);
    const VLongs two = filter_pixel<taps>(job, column + 1);
    const VWords both = hn::ReorderDemote2To(Words(), one, two);
    store_rows(hn::TableLookupBytesOr0(both, close), job.out, 3 * column);
  }
}

int rows_at_once_here() { return blocks; }

void filter_columns_here(const Columns& job) {
  if (job.taps == 4) {
    filter_all_columns<4>(job);
  } else if (job.taps == 6) {
    filter_all_columns<6>(job);
  } else {
    filter_all_columns<0>(job);
  }
}

// Lanes `at` ... of the finished row. Interleaving and narrowing both go block by block: the order is kept.
HWY_INLINE VWords filter_lanes(const Row& job, int at) {
  const Words d;
  constexpr int shift = ResizeWeights::weight_bits + row_binary_places;
  VLongs low = hn::Set(Longs(), 1 << (shift - 1));
  VLongs high = low;
  for (int k = 0; k < job.taps; k += 2) {
    const VWords weights = weight_pair(job.weights + k);
    const VWords a = hn::LoadU(d, job.rows[k] + at);
    const VWords b = hn::LoadU(d, job.rows[k + 1] + at);
    low = add_pair_products(hn::InterleaveLower(d, a, b), weights, low);
    high = add_pair_products(hn::InterleaveUpper(d, a, b), weights, high);
  }
  return hn::ReorderDemote2To(d, hn::ShiftRight<shift>(low), hn::ShiftRight<shift>(high));
}

void filter_row_here(const Row& job) {
  constexpr int lanes = static_cast<int>(hn::MaxLanes(Words()));
  const hn::Rebind<std::uint8_t, Words> bytes;
  int at = 0;
  for (; at + lanes <= job.elements; at += lanes) {
    hn::StoreU(hn::DemoteTo(bytes, filter_lanes(job, at)), bytes, job.out + at);
  }
  if (at < job.elements) {
    HWY_ALIGN std::uint8_t last[lanes];
    hn::StoreU(hn::DemoteTo(bytes, filter_lanes(job, at)), bytes, last);
    std::memcpy(job.out + at, last, static_cast<std::size_t>(job.elements - at));
  }
}

#endif  // HWY_SCALAR

}  // namespace
}  // namespace ssd::resize_kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ssd::resize_kernels {
namespace {
HWY_EXPORT(rows_at_once_here);
HWY_EXPORT(filter_columns_here);
HWY_EXPORT(filter_row_here);
}  // namespace

int padded_column_taps(int taps) { return taps == 5 ? 6 : (taps + 3) / 4 * 4; }
int padded_row_taps(int taps) { return (taps + 1) / 2 * 2; }

int rows_at_once() { return HWY_DYNAMIC_DISPATCH(rows_at_once_here)(); }
void filter_columns(const Columns& job) { HWY_DYNAMIC_DISPATCH(filter_columns_here)(job); }
void filter_row(const Row& job) { HWY_DYNAMIC_DISPATCH(filter_row_here)(job); }

}  // namespace ssd::resize_kernels
#endif
