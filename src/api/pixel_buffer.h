// Pixels that lie in the memory of whoever calls the library.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "image/resize.h"

namespace ssd {

// In which order the bytes of a pixel stand. Alpha is not premultiplied; it is laid over white, as that of
// image files is.
enum class ChannelOrder { rgb, bgr, rgba, bgra, gray };

std::size_t channels_of(ChannelOrder order);  // bytes a pixel

// An image of 8 bits a channel. The memory stays with its owner.
struct PixelBuffer {
  const std::uint8_t* data = nullptr;  // the first pixel of the upper row
  int width = 0, height = 0;           // pixels
  // Bytes from a row to the next: at least width * channels; negative where the upper row stands last. 0:
  // rows without gaps.
  std::ptrdiff_t stride = 0;
  ChannelOrder order = ChannelOrder::rgb;
};

// Resizes the whole image to the network's input: `out` is u8 (300, 300, 3), RGB. Throws Error where the size
// or the stride makes no sense.
void resize_to_input(const PixelBuffer& image, Resizer& resizer, std::span<std::uint8_t> out);

}  // namespace ssd
