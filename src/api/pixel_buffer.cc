#include "api/pixel_buffer.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <vector>

#include "base/error.h"
#include "boxes/ssd300.h"
#include "image/decoder.h"

namespace ssd {
namespace {

constexpr std::size_t rows_at_once = ImageDecoder::rows_at_once;

void check(const PixelBuffer& image) {
  if (image.data == nullptr) throw Error("image: got no pixels, expected a pointer to the first one");
  const ImageLimits limits;
  if (image.width < 1 || image.height < 1)
    throw Error("image: got {}x{} pixels, expected at least 1x1", image.width, image.height);
  if (std::int64_t{image.width} * image.height > limits.pixels)
    throw Error("image: got {}x{} pixels, expected at most {} in all; scale it down", image.width,
                image.height, limits.pixels);
  const auto row = static_cast<std::size_t>(image.width) * channels_of(image.order);
  if (image.stride != 0 && static_cast<std::size_t>(std::abs(image.stride)) < row)
    throw Error(
        "image: got a stride of {} bytes, expected at least {} for {} pixels of {}, or 0 for rows without "
        "gaps",
        image.stride, row, image.width, channels_of(image.order));
}

// Over white, rounded to the nearest.
std::uint8_t over_white(unsigned value, unsigned alpha) {
  return static_cast<std::uint8_t>((value * alpha + 255u * (255u - alpha) + 127) / 255);
}

// One row of another order as RGB.
void convert(const std::uint8_t* from, ChannelOrder order, std::span<std::uint8_t> to) {
  const std::size_t channels = channels_of(order);
  for (std::size_t at = 0; at < to.size(); at += 3, from += channels) {
    switch (order) {
      case ChannelOrder::rgb:
        std::copy_n(from, 3, &to[at]);
        break;
      case ChannelOrder::bgr:
        std::reverse_copy(from, from + 3, &to[at]);
        break;
      case ChannelOrder::rgba:
        for (std::size_t c = 0; c < 3; ++c) to[at + c] = over_white(from[c], from[3]);
        break;
      case ChannelOrder::bgra:
        for (std::size_t c = 0; c < 3; ++c) to[at + c] = over_white(from[2 - c], from[3]);
        break;
      case ChannelOrder::gray:
        std::fill_n(&to[at], 3, *from);
        break;
    }
  }
}

}  // namespace

std::size_t channels_of(ChannelOrder order) {
  switch (order) {
    case ChannelOrder::rgb:
    case ChannelOrder::bgr:
      return 3;
    case ChannelOrder::rgba:
    case ChannelOrder::bgra:
      return 4;
    case ChannelOrder::gray:
      return 1;
  }
  return 0;
}

void resize_to_input(const PixelBuffer& image, Resizer& resizer, std::span<std::uint8_t> out) {
  check(image);
  const auto whole = [](int length) {
    return ResizeAxis{length, 0, static_cast<double>(length), image_size};
  };
  resizer.start({.x = whole(image.width), .y = whole(image.height)}, out);
  const auto bytes = static_cast<std::size_t>(image.width) * 3;
  const std::ptrdiff_t stride = image.stride != 0 ? image.stride
                                                  : static_cast<std::ptrdiff_t>(image.width) *
                                                        static_cast<std::ptrdiff_t>(channels_of(image.order));
  std::vector<std::uint8_t> converted(image.order == ChannelOrder::rgb ? 0 : bytes * rows_at_once);
  std::array<const std::uint8_t*, rows_at_once> rows{};
  for (int y = 0; y < image.height;) {
    std::size_t count = 0;
    for (; count < rows_at_once && y < image.height; ++count, ++y) {
      const std::uint8_t* row = image.data + y * stride;
      if (image.order != ChannelOrder::rgb) {
        const auto rgb = std::span(converted).subspan(count * bytes, bytes);
        convert(row, image.order, rgb);
        row = rgb.data();
      }
      rows[count] = row;
    }
    resizer.push({rows.data(), count});
  }
}

}  // namespace ssd
