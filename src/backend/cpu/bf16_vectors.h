// Vectors of f32 from and to arrays of float or, as std::uint16_t, of bf16. Included once a target, inside
// HWY_BEFORE_NAMESPACE() and HWY_AFTER_NAMESPACE(), after <hwy/highway.h>.
#if defined(SSD_BF16_VECTORS_H) == defined(HWY_TARGET_TOGGLE)
#ifdef SSD_BF16_VECTORS_H
#undef SSD_BF16_VECTORS_H
#else
#define SSD_BF16_VECTORS_H
#endif

#include <cstdint>

HWY_BEFORE_NAMESPACE();
namespace ssd::cpu::HWY_NAMESPACE {

template <class D>
HWY_INLINE hwy::HWY_NAMESPACE::Vec<D> load(D d, const float* from) {
  return hwy::HWY_NAMESPACE::LoadU(d, from);
}
template <class D>
HWY_INLINE hwy::HWY_NAMESPACE::Vec<D> load(D d, const std::uint16_t* from) {
  namespace hn = hwy::HWY_NAMESPACE;
  const hn::Rebind<std::uint16_t, D> d16;
  const hn::Rebind<std::uint32_t, D> d32;
  return hn::BitCast(d, hn::ShiftLeft<16>(hn::PromoteTo(d32, hn::LoadU(d16, from))));
}

template <class D>
HWY_INLINE void store(hwy::HWY_NAMESPACE::Vec<D> value, D d, float* to) {
  hwy::HWY_NAMESPACE::StoreU(value, d, to);
}
// Rounded to nearest, ties to even; NaN stays NaN.
template <class D>
HWY_INLINE void store(hwy::HWY_NAMESPACE::Vec<D> value, D /*d*/, std::uint16_t* to) {
  namespace hn = hwy::HWY_NAMESPACE;
  const hn::Rebind<std::uint16_t, D> d16;
  const hn::Rebind<std::uint32_t, D> d32;
  const hn::Rebind<std::int32_t, D> signed32;
  const auto bits = hn::BitCast(d32, value);
  const auto upper = hn::ShiftRight<16>(bits);
  const auto half = hn::Add(hn::And(upper, hn::Set(d32, 1)), hn::Set(d32, 0x7fff));
  const auto nearest = hn::ShiftRight<16>(hn::Add(bits, half));
  const auto quiet = hn::Or(upper, hn::Set(d32, 0x40));
  const auto rounded = hn::IfThenElse(hn::RebindMask(d32, hn::IsNaN(value)), quiet, nearest);
  hn::StoreU(hn::DemoteTo(d16, hn::BitCast(signed32, rounded)), d16, to);
}

}  // namespace ssd::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
