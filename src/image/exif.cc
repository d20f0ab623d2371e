#include "image/exif.h"

#include <cstdint>
#include <cstring>
#include <optional>
#include <utility>

namespace ssd {
namespace {

// Numbers of a TIFF file in its own byte order, checked against its end.
class TiffReader {
 public:
  TiffReader(std::span<const std::byte> bytes, bool big_endian) : bytes_(bytes), big_endian_(big_endian) {}

  std::optional<std::uint32_t> u16(std::size_t at) const { return number(at, 2); }
  std::optional<std::uint32_t> u32(std::size_t at) const { return number(at, 4); }

 private:
  std::optional<std::uint32_t> number(std::size_t at, std::size_t size) const {
    if (at > bytes_.size() || bytes_.size() - at < size) return std::nullopt;
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < size; ++i) {
      const std::size_t next = big_endian_ ? i : size - 1 - i;
      value = value << 8 | std::to_integer<std::uint32_t>(bytes_[at + next]);
    }
    return value;
  }

  std::span<const std::byte> bytes_;
  bool big_endian_;
};

constexpr std::uint32_t orientation_tag = 274;
constexpr std::uint32_t short_type = 3;

std::optional<std::uint32_t> find_orientation(const TiffReader& tiff) {
  if (tiff.u16(2) != 42) return std::nullopt;
  const auto directory = tiff.u32(4);
  if (!directory) return std::nullopt;
  const auto entries = tiff.u16(*directory);
  if (!entries) return std::nullopt;
  for (std::size_t i = 0; i < *entries; ++i) {
    const std::size_t entry = *directory + std::size_t{2} + 12 * i;
    const auto tag = tiff.u16(entry);
    if (!tag) return std::nullopt;
    if (*tag == orientation_tag) {
      if (tiff.u16(entry + 2) != short_type) return std::nullopt;
      return tiff.u16(entry + 8);
    }
  }
  return std::nullopt;
}

}  // namespace

Orientation orientation_of_tag(int tag) {
  switch (tag) {
    case 2:
      return {.flip_x = true};
    case 3:
      return {.flip_x = true, .flip_y = true};
    case 4:
      return {.flip_y = true};
    case 5:
      return {.transpose = true};
    case 6:
      return {.transpose = true, .flip_x = true};
    case 7:
      return {.transpose = true, .flip_x = true, .flip_y = true};
    case 8:
      return {.transpose = true, .flip_y = true};
    default:
      return {};
  }
}

bool is_ambiguous(const Orientation& orientation, int width, int height) {
  return orientation != Orientation{} && (!orientation.transpose || width == height);
}

int exif_orientation(std::span<const std::byte> segment) {
  constexpr std::size_t header_bytes = 6;  // "Exif" and two zero bytes
  if (segment.size() < header_bytes || std::memcmp(segment.data(), "Exif\0\0", header_bytes) != 0) return 1;
  return tiff_orientation(segment.subspan(header_bytes));
}

int tiff_orientation(std::span<const std::byte> tiff) {
  if (tiff.size() < 8) return 1;
  const bool big_endian = std::memcmp(tiff.data(), "MM", 2) == 0;
  if (!big_endian && std::memcmp(tiff.data(), "II", 2) != 0) return 1;
  const auto orientation = find_orientation(TiffReader(tiff, big_endian));
  return orientation && *orientation >= 1 && *orientation <= 8 ? static_cast<int>(*orientation) : 1;
}

PixelRect to_stored(const PixelRect& oriented, int width, int height, const Orientation& orientation) {
  PixelRect rect = oriented;
  if (orientation.flip_x) rect = {width - rect.right, rect.top, width - rect.left, rect.bottom};
  if (orientation.flip_y) rect = {rect.left, height - rect.bottom, rect.right, height - rect.top};
  if (orientation.transpose) rect = {rect.top, rect.left, rect.bottom, rect.right};
  return rect;
}

}  // namespace ssd
