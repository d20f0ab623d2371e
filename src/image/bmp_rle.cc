#include "image/bmp_rle.h"

#include <algorithm>

#include "base/error.h"

namespace ssd {
namespace {

class Unpacker {
 public:
  Unpacker(const BmpHeader& header, std::span<const std::byte> packed)
      : width_(static_cast<std::size_t>(header.width)),
        height_(static_cast<std::size_t>(header.height)),
        half_bytes_(header.packing == BmpHeader::Packing::rle4),
        packed_(packed),
        pixels_(width_ * height_) {}

  std::vector<std::uint8_t> run() {
    while (y_ < height_ && !ended_) {
      const std::uint8_t count = next(), value = next();
      if (count > 0) {
        for (std::size_t i = 0; i < count; ++i) put(half_bytes_ ? half_of(value, i) : value);
      } else {
        escape(value);
      }
      // The last row needs no code for its end.
      if (y_ + 1 == height_ && x_ == width_) break;
    }
    return std::move(pixels_);
  }

 private:
  static std::uint8_t half_of(std::uint8_t byte, std::size_t i) {
    return i % 2 == 0 ? static_cast<std::uint8_t>(byte >> 4) : static_cast<std::uint8_t>(byte & 15u);
  }

  std::uint8_t next() {
    if (at_ >= packed_.size()) {
      throw Error("BMP data: got the end of the run-length code in row {} of {}; replace the file", y_ + 1,
                  height_);
    }
    return std::to_integer<std::uint8_t>(packed_[at_++]);
  }

  void put(std::uint8_t value) {
    if (x_ < width_) pixels_[y_ * width_ + x_++] = value;
  }

  void escape(std::uint8_t code) {
    switch (code) {
      case 0:
        x_ = 0;
        ++y_;
        return;
      case 1:
        ended_ = true;
        return;
      case 2:
        x_ = std::min(width_, x_ + next());
        y_ += next();
        return;
      default:
        literal(code);
    }
  }

  // That many pixels as they are, padded to an even number of bytes.
  void literal(std::size_t count) {
    const std::size_t size = half_bytes_ ? (count + 1) / 2 : count;
    for (std::size_t i = 0; i < size; ++i) {
      const std::uint8_t value = next();
      if (!half_bytes_) {
        put(value);
        continue;
      }
      put(half_of(value, 0));
      if (2 * i + 1 < count) put(half_of(value, 1));
    }
    if (size % 2 != 0 && at_ < packed_.size()) ++at_;
  }

  std::size_t width_, height_;
  bool half_bytes_;
  std::span<const std::byte> packed_;
  std::vector<std::uint8_t> pixels_;
  std::size_t at_ = 0, x_ = 0, y_ = 0;
  bool ended_ = false;
};

}  // namespace

std::vector<std::uint8_t> unpack_bmp(const BmpHeader& header, std::span<const std::byte> packed) {
  return Unpacker(header, packed).run();
}

}  // namespace ssd
