#include "base/finite.h"

#include <bit>
#include <cstdint>

#include "base/error.h"

namespace ssd {

bool is_finite(std::span<const float> values) {
  // By the bits, which compilers turn into vectors: all ones in the exponent.
  constexpr std::uint32_t exponent = 0x7f800000;
  std::uint32_t found = 0;
  for (const float value : values) found |= (std::bit_cast<std::uint32_t>(value) & exponent) == exponent;
  return found == 0;
}

std::string not_finite(const TensorMap& tensors) {
  for (const auto& [name, tensor] : tensors)
    if (tensor.dtype() == DType::f32 && !is_finite(tensor.as<float>())) return name;
  return "";
}

void check_finite(const TensorMap& tensors, const std::string& name) {
  if (const std::string tensor = not_finite(tensors); !tensor.empty())
    throw Error(
        "{}: tensor '{}': got values that are NaN or infinite, expected numbers; take an earlier file", name,
        tensor);
}

}  // namespace ssd
