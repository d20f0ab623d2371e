#include "storage/crc32c.h"

#include <array>

namespace ssd {
namespace {

// The remainder of each byte value, bits reflected.
constexpr std::array<std::uint32_t, 256> remainders = [] {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t remainder = byte;
    for (int bit = 0; bit < 8; ++bit)
      remainder = (remainder >> 1) ^ ((remainder & 1u) != 0 ? 0x82f63b78u : 0u);
    table[byte] = remainder;
  }
  return table;
}();

}  // namespace

std::uint32_t crc32c(std::span<const std::byte> bytes) {
  std::uint32_t remainder = 0xffffffffu;
  for (const std::byte byte : bytes)
    remainder = (remainder >> 8) ^ remainders[(remainder ^ std::to_integer<std::uint32_t>(byte)) & 0xffu];
  return ~remainder;
}

}  // namespace ssd
