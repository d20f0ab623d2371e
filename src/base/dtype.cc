#include "base/dtype.h"

#include <cmath>

namespace ssd {

std::string_view name_of(DType type) {
  switch (type) {
    case DType::f64:
      return "f64";
    case DType::f32:
      return "f32";
    case DType::f16:
      return "f16";
    case DType::bf16:
      return "bf16";
    case DType::u8:
      return "u8";
    case DType::i32:
      return "i32";
    case DType::i64:
      return "i64";
  }
  return "?";
}

float f16_to_float(std::uint16_t bits) {
  const int exponent = (bits >> 10) & 0x1f;
  const int fraction = bits & 0x3ff;
  const float sign = bits & 0x8000 ? -1.0f : 1.0f;
  if (exponent == 0) return sign * std::ldexp(static_cast<float>(fraction), -24);
  if (exponent == 31) return fraction ? std::nanf("") : sign * INFINITY;
  return sign * std::ldexp(static_cast<float>(fraction + 1024), exponent - 25);
}

std::uint16_t float_to_f16(float value) {
  const auto sign = static_cast<std::uint16_t>(std::signbit(value) ? 0x8000 : 0);
  const float size = std::fabs(value);
  if (std::isnan(value)) return static_cast<std::uint16_t>(sign | 0x7e00);
  if (size >= 65520.0f) return static_cast<std::uint16_t>(sign | 0x7c00);
  // In units of the last place: 2^-24 below 2^-14, 2^(exponent - 10) from there on.
  int exponent = 0;
  if (size >= 0x1p-14f) exponent = std::ilogb(size) + 14;
  const float units = std::ldexp(size, 24 - exponent);
  const float below = std::floor(units), rest = units - below;
  auto whole = static_cast<std::uint32_t>(below);
  if (rest > 0.5f || (rest == 0.5f && whole % 2 == 1)) ++whole;
  // A unit too many carries into the exponent, as it should. From 2^-14 on the leading bit is implied.
  const std::uint32_t bits = static_cast<std::uint32_t>(exponent) * 1024 + whole;
  return static_cast<std::uint16_t>(sign | bits);
}

}  // namespace ssd
