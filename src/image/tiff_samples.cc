#include "image/tiff_samples.h"

#include <algorithm>
#include <cstring>

#include "image/convert_rows.h"

namespace ssd {
namespace {

// Bits `at` ... `at + bits - 1` of a row, the upper ones of a byte first.
unsigned bits_at(const std::uint8_t* row, std::size_t at, unsigned bits) {
  unsigned value = 0;
  for (unsigned i = 0; i < bits; ++i, ++at) value = value << 1 | (row[at / 8] >> (7 - at % 8) & 1u);
  return value;
}

unsigned sample_at(const std::uint8_t* row, std::size_t index, unsigned bits) {
  if (bits == 8) return row[index];
  if (bits == 16) {
    std::uint16_t value = 0;
    std::memcpy(&value, row + 2 * index, sizeof value);
    return value;
  }
  return bits_at(row, index * bits, bits);
}

std::uint8_t to_8_bits(unsigned value, unsigned bits) {
  return static_cast<std::uint8_t>(bits < 8 ? value * 255 / ((1u << bits) - 1) : value >> (bits - 8));
}

}  // namespace

int TiffSamples::colour_samples() const {
  switch (colour) {
    case Colour::black_is_zero:
    case Colour::white_is_zero:
    case Colour::palette:
      return 1;
    case Colour::rgb:
      return 3;
    case Colour::cmyk:
      return 4;
  }
  return 0;
}

void TiffRowConverter::unpack(const TiffSamples& samples, std::span<const std::uint8_t* const> rows,
                              int width) {
  const auto bits = static_cast<unsigned>(samples.bits);
  const auto used = static_cast<std::size_t>(samples.used_samples());
  const std::size_t step = samples.in_planes ? 1 : static_cast<std::size_t>(samples.count);
  values_.resize(static_cast<std::size_t>(width) * used);
  for (std::size_t s = 0; s < used; ++s) {
    const std::uint8_t* const row = samples.in_planes ? rows[s] : rows[0];
    const std::size_t first = samples.in_planes ? 0 : s;
    const bool entry = s == 0 && samples.colour == TiffSamples::Colour::palette;
    for (std::size_t x = 0; x < static_cast<std::size_t>(width); ++x) {
      const unsigned value = sample_at(row, first + x * step, bits);
      values_[x * used + s] = entry ? static_cast<std::uint8_t>(value) : to_8_bits(value, bits);
    }
  }
}

std::span<const std::uint8_t> TiffRowConverter::convert(const TiffSamples& samples,
                                                        std::span<const std::uint8_t* const> rows,
                                                        int width) {
  using Colour = TiffSamples::Colour;
  using Alpha = TiffSamples::Alpha;
  unpack(samples, rows, width);
  const auto pixels = static_cast<std::size_t>(width),
             used = static_cast<std::size_t>(samples.used_samples());
  pixels_.resize(4 * pixels);
  std::uint8_t* to = pixels_.data();
  for (std::size_t x = 0; x < pixels; ++x) {
    const std::uint8_t* const from = values_.data() + x * used;
    switch (samples.colour) {
      case Colour::black_is_zero:
        to = std::fill_n(to, 3, *from);
        break;
      case Colour::white_is_zero:
        to = std::fill_n(to, 3, static_cast<std::uint8_t>(255 - *from));
        break;
      case Colour::palette:
        to = std::ranges::copy(samples.palette[*from], to).out;
        break;
      case Colour::rgb:
        to = std::copy_n(from, 3, to);
        break;
      case Colour::cmyk:
        to = std::copy_n(from, 4, to);
        break;
    }
    if (samples.alpha != Alpha::none) *to++ = from[used - 1];
  }
  if (samples.colour == Colour::cmyk) cmyk_to_rgb(pixels_.data(), width, FullInk::at_255);
  if (samples.alpha == Alpha::premultiplied) unpremultiply(pixels_.data(), width);
  if (samples.alpha != Alpha::none) lay_over_white(pixels_.data(), 0, width);
  return std::span(pixels_).first(3 * pixels);
}

}  // namespace ssd
