// The checksum of record caches.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace ssd {

// XXH64 with seed 0 (Collet, "xxHash fast digest algorithm", version 0.1.1): finds damage, not forgery.
std::uint64_t xxh64(std::span<const std::byte> bytes);

}  // namespace ssd
