#include "image/bmp.h"

#include <algorithm>
#include <bit>
#include <cassert>

#include "base/error.h"
#include "image/bmp_rle.h"
#include "image/convert_rows.h"

namespace ssd {
namespace {

// A component under a mask, stretched to 0..255.
std::uint8_t component(std::uint32_t pixel, std::uint32_t mask) {
  if (mask == 0) return 0;
  const int shift = std::countr_zero(mask);
  const std::uint64_t most = mask >> shift;
  return static_cast<std::uint8_t>(std::uint64_t{(pixel & mask) >> shift} * 255 / most);
}

std::uint32_t pixel_at(std::span<const std::byte> row, std::size_t x, std::size_t bytes) {
  std::uint32_t pixel = 0;
  for (std::size_t i = bytes; i-- > 0;)
    pixel = pixel << 8 | std::to_integer<std::uint32_t>(row[x * bytes + i]);
  return pixel;
}

}  // namespace

BmpDecoder::BmpDecoder(const ImageLimits& limits) : limits_(limits) {}

const ImageInfo& BmpDecoder::open(std::span<const std::byte> bytes) {
  rows_left_ = 0;
  unpacked_ = {};
  bytes_ = bytes;
  header_ = read_bmp_header(bytes);
  const std::int64_t width = header_.width, height = header_.height;
  const bool packed = header_.packing != BmpHeader::Packing::none;
  check_image_cost("BMP", {width, height, 4 * width * rows_at_once + (packed ? width * height : 0)}, limits_);
  row_bytes_ = (static_cast<std::size_t>(width) * static_cast<std::size_t>(header_.bits) + 31) / 32 * 4;
  // The padding of the last row may be missing.
  const std::size_t pad =
      row_bytes_ - (static_cast<std::size_t>(width) * static_cast<std::size_t>(header_.bits) + 7) / 8;
  const std::size_t needed =
      header_.pixels_at + (packed ? 0 : row_bytes_ * static_cast<std::size_t>(height) - pad);
  if (bytes.size() < needed) {
    throw Error("BMP data: got {} bytes, expected at least {} for {}x{} pixels; replace the file",
                bytes.size(), needed, width, height);
  }
  info_ = {header_.width, header_.height, 3, 1};
  if (header_.bits > 8) return info_;
  for (std::size_t i = 0; i < palette_.size(); ++i) palette_[i] = {};
  const std::size_t end = header_.palette_at + header_.palette_step * header_.palette_entries;
  if (end > bytes.size())
    throw Error("BMP data: got {} bytes, expected a palette up to byte {}; replace the file", bytes.size(),
                end);
  for (std::size_t i = 0; i < header_.palette_entries; ++i) {
    const auto entry = bytes.subspan(header_.palette_at + header_.palette_step * i, 3);
    for (std::size_t c = 0; c < 3; ++c) palette_[i][c] = std::to_integer<std::uint8_t>(entry[2 - c]);
  }
  return info_;
}

void BmpDecoder::start(const ImagePart& part) {
  assert(part.denominator == 1);
  rect_ = part.rect;
  assert(rect_.left >= 0 && rect_.top >= 0 && rect_.width() > 0 && rect_.height() > 0 &&
         rect_.right <= info_.width && rect_.bottom <= info_.height);
  if (header_.packing != BmpHeader::Packing::none)
    unpacked_ = unpack_bmp(header_, bytes_.subspan(header_.pixels_at));
  alpha_ = header_.bits > 8 && has_any_alpha();
  rows_.resize(std::size_t{4} * rows_at_once * static_cast<std::size_t>(rect_.width()));
  rows_left_ = rect_.height();
}

std::span<const std::uint8_t* const> BmpDecoder::read_rows() {
  const int count = std::min(rows_at_once, rows_left_);
  for (int i = 0; i < count; ++i) {
    std::uint8_t* const row =
        rows_.data() + std::size_t{4} * static_cast<std::size_t>(i) * static_cast<std::size_t>(rect_.width());
    convert_row(rect_.bottom - rows_left_ + i, row);
    handed_out_[static_cast<std::size_t>(i)] = row;
  }
  rows_left_ -= count;
  return {handed_out_.data(), static_cast<std::size_t>(count)};
}

// Row y of the image, counted from above.
std::span<const std::byte> BmpDecoder::stored_row(int y) const {
  const auto stored = static_cast<std::size_t>(header_.top_down ? y : info_.height - 1 - y);
  if (header_.packing != BmpHeader::Packing::none) {
    const auto width = static_cast<std::size_t>(info_.width);
    return std::as_bytes(std::span(unpacked_)).subspan(stored * width, width);
  }
  const auto from = bytes_.subspan(header_.pixels_at + stored * row_bytes_);
  return from.first(std::min(row_bytes_, from.size()));
}

void BmpDecoder::convert_row(int y, std::uint8_t* to) const {
  const auto row = stored_row(y);
  const auto left = static_cast<std::size_t>(rect_.left), right = static_cast<std::size_t>(rect_.right);
  if (header_.bits > 8) {
    convert_masked(row, to);
    return;
  }
  const std::size_t bits =
      header_.packing == BmpHeader::Packing::none ? static_cast<std::size_t>(header_.bits) : 8;
  const std::size_t in_byte = 8 / bits;
  const unsigned mask = (1u << bits) - 1;
  for (std::size_t x = left; x < right; ++x) {
    const std::size_t shift = 8 - bits * (x % in_byte + 1);
    const unsigned entry = std::to_integer<unsigned>(row[x / in_byte]) >> shift & mask;
    to = std::ranges::copy(palette_[entry], to).out;
  }
}

void BmpDecoder::convert_masked(std::span<const std::byte> row, std::uint8_t* to) const {
  const auto left = static_cast<std::size_t>(rect_.left), right = static_cast<std::size_t>(rect_.right);
  const auto bytes = static_cast<std::size_t>(header_.bits / 8);
  const std::size_t channels = alpha_ ? 4 : 3;
  std::uint8_t* out = to;
  for (std::size_t x = left; x < right; ++x) {
    const std::uint32_t pixel = pixel_at(row, x, bytes);
    for (std::size_t c = 0; c < channels; ++c) *out++ = component(pixel, header_.masks[c]);
  }
  if (alpha_) lay_over_white(to, 0, rect_.width());
}

bool BmpDecoder::has_any_alpha() const {
  const std::uint32_t mask = header_.masks[3];
  if (mask == 0) return false;
  for (int y = 0; y < info_.height; ++y) {
    const auto row = stored_row(y);
    for (std::size_t x = 0; x < static_cast<std::size_t>(info_.width); ++x)
      if ((pixel_at(row, x, static_cast<std::size_t>(header_.bits / 8)) & mask) != 0) return true;
  }
  return false;
}

}  // namespace ssd
