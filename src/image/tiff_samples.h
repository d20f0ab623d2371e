// Samples of TIFF files to pixels.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace ssd {

// How the samples of a TIFF file make up its pixels (TIFF 6.0).
struct TiffSamples {
  enum class Colour { black_is_zero, white_is_zero, palette, rgb, cmyk };
  enum class Alpha { none, straight, premultiplied };

  Colour colour = Colour::rgb;
  Alpha alpha = Alpha::none;  // of the first sample behind those of the colour
  int bits = 8;               // of a sample: 1 to 16
  int count = 3;              // of samples of a pixel, more than colour and alpha need or as many
  bool in_planes = false;     // each sample of all pixels together
  std::vector<std::array<std::uint8_t, 3>> palette;  // 1 << bits entries

  int colour_samples() const;
  int used_samples() const { return colour_samples() + (alpha == Alpha::none ? 0 : 1); }
};

// Row by row; keeps its memory in between.
class TiffRowConverter {
 public:
  // `rows`: the row in each plane, or the one in which the samples stand side by side. Gives `width` pixels,
  // RGB, as Pillow's convert("RGB") does but for alpha, which is laid over white: fewer than 8 bits are
  // stretched to 0..255, of more the upper 8 are taken. 16 bits are in the machine's order. Valid until the
  // next call.
  std::span<const std::uint8_t> convert(const TiffSamples& samples, std::span<const std::uint8_t* const> rows,
                                        int width);

 private:
  void unpack(const TiffSamples& samples, std::span<const std::uint8_t* const> rows, int width);

  std::vector<std::uint8_t> values_;  // (width, used_samples) of 8 bits; a palette's entries as they are
  std::vector<std::uint8_t> pixels_;  // (width, 4), at first
};

}  // namespace ssd
