// The checksum CRC-32C (Castagnoli, polynomial 0x1EDC6F41), as of RFC 3720.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace ssd {

std::uint32_t crc32c(std::span<const std::byte> bytes);

}  // namespace ssd
