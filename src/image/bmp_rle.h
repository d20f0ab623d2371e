// The run-length codes of bitmaps.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "image/bmp.h"

namespace ssd {

// height x width palette entries, from the first stored row on; what the code leaves out is 0. Runs end with
// their row. Throws Error where `packed` ends before the image and before the code for its end.
std::vector<std::uint8_t> unpack_bmp(const BmpHeader& header, std::span<const std::byte> packed);

}  // namespace ssd
