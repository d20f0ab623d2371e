// Windows and OS/2 bitmaps to RGB.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "image/decoder.h"

namespace ssd {

// What the header of a bitmap says (Microsoft, "Bitmap Storage": BITMAPCOREHEADER to BITMAPV5HEADER).
struct BmpHeader {
  enum class Packing { none, rle4, rle8 };

  int width = 0, height = 0;
  bool top_down = false;  // rows from the upper one to the lower one
  int bits = 0;           // of a pixel: 1, 4, 8 by a palette; 16, 24, 32
  Packing packing = Packing::none;
  std::array<std::uint32_t, 4> masks{};  // of red, green, blue and alpha in 16 and 32 bits; alpha may be 0
  std::size_t palette_at = 0;            // B, G, R and, where palette_step is 4, a byte of padding
  std::size_t palette_step = 4, palette_entries = 0;
  std::size_t pixels_at = 0;
};

// Reads it with all that follows from the file's size; throws Error for what BmpDecoder cannot decode.
BmpHeader read_bmp_header(std::span<const std::byte> bytes);

// By code of our own, for no library that Debian has reads all of it: 1, 4 and 8 bits with palettes,
// run-length encoded or not, 16, 24 and 32 bits with any masks, from the lower row up or the other way. As
// Pillow does, components of fewer than 8 bits are stretched to 0..255 rounded down, a fourth byte without a
// mask is nothing, and pixels that a run-length code leaves out are of colour 0. Alpha by a mask is laid over
// white, unless it is 0 in the whole image, as some programs leave it.
class BmpDecoder final : public ImageDecoder {
 public:
  explicit BmpDecoder(const ImageLimits& limits = image_limits());

  const ImageInfo& open(std::span<const std::byte> bytes) override;
  void start(const ImagePart& part) override;
  std::span<const std::uint8_t* const> read_rows() override;

 private:
  std::span<const std::byte> stored_row(int y) const;
  void convert_row(int y, std::uint8_t* to) const;
  void convert_masked(std::span<const std::byte> row, std::uint8_t* to) const;
  bool has_any_alpha() const;

  ImageLimits limits_;
  std::span<const std::byte> bytes_;
  BmpHeader header_;
  std::size_t row_bytes_ = 0;  // of a row in the file, padded
  bool alpha_ = false;         // its mask is not 0, nor all that lies below it
  PixelRect rect_;
  std::array<std::array<std::uint8_t, 3>, 256> palette_{};
  std::vector<std::uint8_t> unpacked_;  // (height, width) palette entries, from the upper row on
  std::vector<std::uint8_t> rows_;      // (rows_at_once, width, 3 or 4)
  std::array<const std::uint8_t*, rows_at_once> handed_out_{};
};

}  // namespace ssd
