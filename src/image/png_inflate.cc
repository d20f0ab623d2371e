#include "image/png_inflate.h"

#include <libdeflate.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <new>
#include <string_view>

namespace ssd {
namespace {

constexpr std::size_t signature_bytes = 8, chunk_header_bytes = 8, checksum_bytes = 4;
constexpr std::size_t most_of_a_block = 65535, block_header_bytes = 5;  // of a stored block (RFC 1951, 3.2.4)
constexpr std::byte last_filter{4};                                     // Paeth

std::size_t number_at(std::span<const std::byte> bytes, std::size_t at) {
  std::size_t value = 0;
  for (const std::byte b : bytes.subspan(at, 4)) value = value << 8 | std::to_integer<std::size_t>(b);
  return value;
}

std::byte byte_of(std::size_t value, int place) {
  return static_cast<std::byte>(value >> (8 * place) & 0xff);
}

}  // namespace

void InflatedPng::Free::operator()(libdeflate_decompressor* decompressor) const {
  libdeflate_free_decompressor(decompressor);
}

InflatedPng::InflatedPng() = default;
InflatedPng::~InflatedPng() = default;

bool InflatedPng::inflate(std::span<const std::byte> file, std::size_t row_bytes, std::size_t height) {
  if (decompressor_ == nullptr) decompressor_.reset(libdeflate_alloc_decompressor());
  if (decompressor_ == nullptr || !gather(file)) return false;
  const std::size_t stride = row_bytes + 1;
  try {
    pixels_.resize(std::max(pixels_.size(), stride * height));
  } catch (const std::bad_alloc&) {
    return false;
  }
  // Without a place for the size, fewer bytes than asked for are a failure too.
  if (libdeflate_zlib_decompress(decompressor_.get(), compressed_.data(), compressed_.size(), pixels_.data(),
                                 stride * height, nullptr) != LIBDEFLATE_SUCCESS)
    return false;
  for (std::size_t row = 0; row < height; ++row)
    if (pixels_[row * stride] > last_filter) return false;
  pieces_.clear();
  pieces_.push_back({pixels_.data(), stride * height});
  lay_out();
  return true;
}

// The contents of the IDATs, which follow one another.
bool InflatedPng::gather(std::span<const std::byte> file) {
  compressed_.clear();
  for (std::size_t at = signature_bytes; file.size() - at >= chunk_header_bytes + checksum_bytes;) {
    const std::size_t length = number_at(file, at);
    if (length > file.size() - at - chunk_header_bytes - checksum_bytes) return false;
    const auto kind = file.subspan(at + 4, 4), content = file.subspan(at + chunk_header_bytes, length);
    const bool is_idat = std::memcmp(kind.data(), "IDAT", 4) == 0;
    if (is_idat) {
      if (compressed_.empty()) header_ = file.first(at);
      const std::uint32_t checksum = libdeflate_crc32(0, kind.data(), 4 + length);
      if (checksum != number_at(file, at + chunk_header_bytes + length)) return false;
      compressed_.insert(compressed_.end(), content.begin(), content.end());
    } else if (!compressed_.empty()) {
      return true;
    }
    at += chunk_header_bytes + length + checksum_bytes;
  }
  return !compressed_.empty();
}

// One IDAT, a zlib stream (RFC 1950) of stored blocks.
void InflatedPng::lay_out() {
  const std::span<const std::byte> pixels = pieces_.front();
  const std::size_t blocks = (pixels.size() + most_of_a_block - 1) / most_of_a_block;
  constexpr std::size_t zlib_header_bytes = 2, adler_bytes = 4;
  const std::size_t length = zlib_header_bytes + blocks * block_header_bytes + pixels.size() + adler_bytes;
  frame_.clear();
  for (int place = 3; place >= 0; --place) frame_.push_back(byte_of(length, place));
  for (const char letter : std::string_view("IDAT")) frame_.push_back(static_cast<std::byte>(letter));
  frame_.insert(frame_.end(), {std::byte{0x78}, std::byte{0x01}});
  const std::size_t before = frame_.size();
  for (std::size_t block = 0; block < blocks; ++block) {
    const std::size_t size = std::min(most_of_a_block, pixels.size() - block * most_of_a_block);
    frame_.push_back(block + 1 == blocks ? std::byte{1} : std::byte{0});
    for (const std::size_t value : {size, ~size})
      frame_.insert(frame_.end(), {byte_of(value, 0), byte_of(value, 1)});
  }
  const std::size_t after = frame_.size();
  frame_.resize(after + adler_bytes + checksum_bytes);
  const std::span<const std::byte> frame = frame_;
  pieces_.clear();
  pieces_.push_back(header_);
  pieces_.push_back(frame.first(before));
  for (std::size_t block = 0; block < blocks; ++block) {
    pieces_.push_back(frame.subspan(before + block * block_header_bytes, block_header_bytes));
    const std::size_t first = block * most_of_a_block;
    pieces_.push_back(pixels.subspan(first, std::min(most_of_a_block, pixels.size() - first)));
  }
  pieces_.push_back(frame.subspan(after));
  piece_ = at_ = 0;
}

bool InflatedPng::read(std::byte* to, std::size_t count) {
  while (count > 0) {
    if (piece_ == pieces_.size()) return false;
    const auto rest = pieces_[piece_].subspan(at_);
    const std::size_t part = std::min(count, rest.size());
    if (part > 0) std::memcpy(to, rest.data(), part);
    to += part;
    count -= part;
    at_ += part;
    if (part == rest.size()) {
      ++piece_;
      at_ = 0;
    }
  }
  return true;
}

}  // namespace ssd
