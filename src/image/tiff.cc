#include "image/tiff.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "image/tiff_file.h"
#include "image/tiff_samples.h"

namespace ssd {

// A band is the rows of a strip, of a row of tiles or, where libtiff makes RGB itself, of the image.
struct TiffDecoder::State {
  static constexpr std::size_t most_planes = 4;  // that are used: RGBA or CMYK

  TiffFile file;
  TiffSamples samples;
  bool by_libtiff = false;  // makes RGB of the whole image itself
  bool tiled = false;
  int block_width = 0, block_height = 0;  // of a strip or tile, pixels
  tmsize_t block_bytes = 0, block_row_bytes = 0;
  PixelRect rect;
  std::vector<std::uint8_t> blocks;  // (planes, block_bytes)
  std::vector<std::uint8_t> band;    // (rows, width, 3)
  int band_top = 0, band_bottom = 0;
  TiffRowConverter converter;
  std::array<const std::uint8_t*, rows_at_once> handed_out{};

  std::size_t planes() const {
    return samples.in_planes ? static_cast<std::size_t>(samples.used_samples()) : 1;
  }

  void set_colour();
  void set_palette();
  void set_alpha();
  void read_block(int x, int y);
  void convert_block(int x, int image_width);
  void read_by_libtiff(int width, int height);
};

// Entries of 16 bits, or of 8 where none needs more.
void TiffDecoder::State::set_palette() {
  std::array<std::uint16_t*, 3> maps{};
  if (TIFFGetField(file.handle(), TIFFTAG_COLORMAP, &maps[0], &maps[1], &maps[2]) == 0)
    file.fail("a palette that is missing");
  const std::size_t entries = std::size_t{1} << samples.bits;
  const auto is_small = [&](const std::uint16_t* map) {
    return std::all_of(map, map + entries, [](std::uint16_t v) { return v < 256; });
  };
  const int shift = std::ranges::all_of(maps, is_small) ? 0 : 8;
  samples.palette.resize(entries);
  for (std::size_t i = 0; i < entries; ++i)
    for (std::size_t c = 0; c < 3; ++c)
      samples.palette[i][c] = static_cast<std::uint8_t>(maps[c][i] >> shift);
}

void TiffDecoder::State::set_colour() {
  using Colour = TiffSamples::Colour;
  const auto compression = file.field<std::uint16_t>(TIFFTAG_COMPRESSION, COMPRESSION_NONE);
  std::uint16_t photometric = PHOTOMETRIC_MINISWHITE;
  TIFFGetField(file.handle(), TIFFTAG_PHOTOMETRIC, &photometric);
  by_libtiff = compression == COMPRESSION_OJPEG;
  switch (photometric) {
    case PHOTOMETRIC_MINISWHITE:
      samples.colour = Colour::white_is_zero;
      break;
    case PHOTOMETRIC_MINISBLACK:
      samples.colour = Colour::black_is_zero;
      break;
    case PHOTOMETRIC_PALETTE:
      samples.colour = Colour::palette;
      break;
    case PHOTOMETRIC_RGB:
      samples.colour = Colour::rgb;
      break;
    case PHOTOMETRIC_SEPARATED:
      samples.colour = Colour::cmyk;
      break;
    case PHOTOMETRIC_YCBCR:
      samples.colour = samples.count == 1 ? Colour::black_is_zero : Colour::rgb;
      if (samples.count == 1) break;
      if (compression == COMPRESSION_JPEG && !samples.in_planes) {
        TIFFSetField(file.handle(), TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
      } else {
        by_libtiff = true;
      }
      break;
    default:
      by_libtiff = true;
  }
}

// Four samples of RGB without a word on the fourth are RGBA, as other readers have it.
void TiffDecoder::State::set_alpha() {
  using Alpha = TiffSamples::Alpha;
  std::uint16_t extra = 0;
  const std::uint16_t* kinds = nullptr;
  const bool stated = TIFFGetField(file.handle(), TIFFTAG_EXTRASAMPLES, &extra, &kinds) != 0;
  samples.alpha = Alpha::none;
  if (samples.colour == TiffSamples::Colour::cmyk) return;
  if (stated && extra > 0 && kinds != nullptr) {
    if (kinds[0] == EXTRASAMPLE_ASSOCALPHA) samples.alpha = Alpha::premultiplied;
    if (kinds[0] == EXTRASAMPLE_UNASSALPHA) samples.alpha = Alpha::straight;
  } else if (samples.colour == TiffSamples::Colour::rgb && samples.count == 4) {
    samples.alpha = Alpha::straight;
  }
}

TiffDecoder::TiffDecoder(const ImageLimits& limits) : limits_(limits), state_(std::make_unique<State>()) {}
TiffDecoder::~TiffDecoder() = default;

const ImageInfo& TiffDecoder::open(std::span<const std::byte> bytes) {
  State& s = *state_;
  rows_left_ = 0;
  s.file.close();
  s.blocks = {};
  s.band = {};
  s.file.open(bytes, limits_.memory);
  const auto width = s.file.field<std::uint32_t>(TIFFTAG_IMAGEWIDTH, 0),
             height = s.file.field<std::uint32_t>(TIFFTAG_IMAGELENGTH, 0);
  check_image_cost("TIFF", {.width = width, .height = height}, limits_);
  const auto tag = s.file.field<std::uint16_t>(TIFFTAG_ORIENTATION, 1);
  info_ = {static_cast<int>(width), static_cast<int>(height), 3, tag >= 1 && tag <= 8 ? tag : 1};
  read_layout();
  using Colour = TiffSamples::Colour;
  if (!s.by_libtiff && s.samples.colour != Colour::palette && s.samples.colour_samples() != 3)
    info_.channels = s.samples.colour_samples();
  check_size();
  return info_;
}

void TiffDecoder::read_layout() {
  State& s = *state_;
  s.samples = {};
  s.samples.bits = s.file.field<std::uint16_t>(TIFFTAG_BITSPERSAMPLE, 1);
  s.samples.count = s.file.field<std::uint16_t>(TIFFTAG_SAMPLESPERPIXEL, 1);
  s.samples.in_planes =
      s.samples.count > 1 && s.file.field<std::uint16_t>(TIFFTAG_PLANARCONFIG, 1) == PLANARCONFIG_SEPARATE;
  s.set_colour();
  if (s.by_libtiff) return;
  const auto format = s.file.field<std::uint16_t>(TIFFTAG_SAMPLEFORMAT, SAMPLEFORMAT_UINT);
  const bool plain = format == SAMPLEFORMAT_UINT || format == SAMPLEFORMAT_VOID || s.samples.bits == 8;
  if (s.samples.bits < 1 || s.samples.bits > 16 || !plain) {
    throw Error(
        "TIFF colours: got {}-bit samples {}, expected 1 to 16 bits without a sign; save the image with 8 "
        "bits a "
        "colour",
        s.samples.bits,
        format == SAMPLEFORMAT_IEEEFP ? "with a fraction"
        : plain                       ? ""
                                      : "with a sign");
  }
  s.set_alpha();
  if (s.samples.used_samples() > s.samples.count) {
    throw Error("TIFF colours: got {} samples a pixel, expected at least {}; replace the file",
                s.samples.count, s.samples.used_samples());
  }
  if (s.samples.colour != TiffSamples::Colour::palette) return;
  if (s.samples.bits > 8)
    throw Error("TIFF colours: got a palette of {} bits, expected 8 at most; save the image anew",
                s.samples.bits);
  s.set_palette();
}

void TiffDecoder::check_size() {
  State& s = *state_;
  const std::int64_t width = info_.width, height = info_.height;
  if (s.by_libtiff) {
    check_image_cost("TIFF", {width, height, 4 * width * height}, limits_);
    return;
  }
  s.tiled = TIFFIsTiled(s.file.handle()) != 0;
  const auto block_width = s.tiled ? s.file.field<std::uint32_t>(TIFFTAG_TILEWIDTH, 0) : info_.width;
  const auto block_height = s.tiled ? s.file.field<std::uint32_t>(TIFFTAG_TILELENGTH, 0)
                                    : s.file.field<std::uint32_t>(TIFFTAG_ROWSPERSTRIP, UINT32_MAX);
  constexpr std::int64_t most = INT32_MAX;
  s.block_width = static_cast<int>(std::min<std::int64_t>(block_width, most));
  s.block_height = static_cast<int>(std::min<std::int64_t>(block_height, s.tiled ? most : height));
  s.block_bytes = s.tiled ? TIFFTileSize(s.file.handle()) : TIFFStripSize(s.file.handle());
  s.block_row_bytes = s.tiled ? TIFFTileRowSize(s.file.handle()) : TIFFScanlineSize(s.file.handle());
  if (s.block_width < 1 || s.block_height < 1 || s.block_bytes < 1 || s.block_row_bytes < 1)
    s.file.fail("strips or tiles of no size");
  // What is computed from the tags here must be what libtiff writes.
  const std::int64_t samples = s.samples.in_planes ? 1 : s.samples.count;
  if (s.block_row_bytes < (samples * s.samples.bits * s.block_width + 7) / 8 ||
      s.block_bytes / s.block_row_bytes < s.block_height) {
    s.file.fail("strips or tiles that do not fit its samples");
  }
  const std::int64_t rows = std::min<std::int64_t>(s.block_height, height);
  const auto planes = static_cast<std::int64_t>(s.planes());
  if (s.block_bytes > limits_.memory / planes) {
    check_image_cost("TIFF", {width, height, s.block_bytes, ", in strips or tiles"}, limits_);
    s.file.fail("strips or tiles that are too large");
  }
  check_image_cost(
      "TIFF", {width, height, planes * s.block_bytes + 3 * width * rows + 9 * width, ", in strips or tiles"},
      limits_);
}

void TiffDecoder::start(const ImagePart& part) {
  State& s = *state_;
  assert(part.denominator == 1);
  s.rect = part.rect;
  assert(s.rect.left >= 0 && s.rect.top >= 0 && s.rect.width() > 0 && s.rect.height() > 0 &&
         s.rect.right <= info_.width && s.rect.bottom <= info_.height);
  s.band_top = s.band_bottom = 0;
  if (s.by_libtiff) {
    s.read_by_libtiff(info_.width, info_.height);
  } else {
    s.blocks.resize(s.planes() * static_cast<std::size_t>(s.block_bytes));
  }
  rows_left_ = s.rect.height();
}

// RGBA with alpha multiplied in, and opaque wherever it is used; the order of the rows is the file's.
void TiffDecoder::State::read_by_libtiff(int width, int height) {
  std::array<char, 1024> message{};
  TIFFRGBAImage image{};
  if (TIFFRGBAImageOK(file.handle(), message.data()) == 0 ||
      TIFFRGBAImageBegin(&image, file.handle(), 1, message.data()) == 0) {
    file.fail(message[0] != 0 ? message.data() : "colours that libtiff cannot make RGB of");
  }
  image.req_orientation = image.orientation;
  band.resize(std::size_t{4} * static_cast<std::size_t>(width) * static_cast<std::size_t>(height));
  const int done = TIFFRGBAImageGet(&image, reinterpret_cast<std::uint32_t*>(band.data()),
                                    static_cast<std::uint32_t>(width), static_cast<std::uint32_t>(height));
  TIFFRGBAImageEnd(&image);
  if (done == 0) file.fail("damaged data");
  std::uint8_t* to = band.data();
  for (std::size_t i = 0; i < band.size(); i += 4) to = std::copy_n(band.data() + i, 3, to);
  band_bottom = height;
}

// The block of each plane that holds pixel (x, y).
void TiffDecoder::State::read_block(int x, int y) {
  const auto column = static_cast<std::uint32_t>(x), row = static_cast<std::uint32_t>(y);
  for (std::size_t plane = 0; plane < planes(); ++plane) {
    std::uint8_t* const to = blocks.data() + plane * static_cast<std::size_t>(block_bytes);
    const auto sample = static_cast<std::uint16_t>(plane);
    const tmsize_t done =
        tiled ? TIFFReadEncodedTile(file.handle(), TIFFComputeTile(file.handle(), column, row, 0, sample), to,
                                    block_bytes)
              : TIFFReadEncodedStrip(file.handle(), TIFFComputeStrip(file.handle(), row, sample), to,
                                     block_bytes);
    const tmsize_t needed = block_row_bytes * (tiled ? block_height : band_bottom - band_top);
    if (done < needed) file.fail("the end of the data before the end of the image");
  }
}

// The blocks' columns, to the band from column x on.
void TiffDecoder::State::convert_block(int x, int image_width) {
  std::array<const std::uint8_t*, most_planes> rows{};
  const auto row_bytes = 3 * static_cast<std::size_t>(image_width);
  for (int y = 0; y < band_bottom - band_top; ++y) {
    for (std::size_t plane = 0; plane < planes(); ++plane)
      rows[plane] = blocks.data() + plane * static_cast<std::size_t>(block_bytes) +
                    static_cast<std::size_t>(y) * static_cast<std::size_t>(block_row_bytes);
    const auto pixels = converter.convert(samples, rows, std::min(block_width, image_width - x));
    std::ranges::copy(
        pixels, band.data() + static_cast<std::size_t>(y) * row_bytes + 3 * static_cast<std::size_t>(x));
  }
}

// The band that row y lies in.
void TiffDecoder::read_band(int y) {
  State& s = *state_;
  s.band_top = y - y % s.block_height;
  s.band_bottom = s.band_top + std::min(s.block_height, info_.height - s.band_top);
  s.band.resize(3 * static_cast<std::size_t>(info_.width) *
                static_cast<std::size_t>(s.band_bottom - s.band_top));
  int x = s.rect.left - s.rect.left % s.block_width;
  for (; x < s.rect.right; x += std::min(s.block_width, info_.width)) {
    s.read_block(x, y);
    s.convert_block(x, info_.width);
  }
}

std::span<const std::uint8_t* const> TiffDecoder::read_rows() {
  State& s = *state_;
  const int first = s.rect.bottom - rows_left_;
  if (first >= s.band_bottom) read_band(first);
  const int count = std::min({rows_at_once, rows_left_, s.band_bottom - first});
  for (int i = 0; i < count; ++i) {
    const auto row = static_cast<std::size_t>(first - s.band_top + i);
    s.handed_out[static_cast<std::size_t>(i)] =
        s.band.data() +
        3 * (row * static_cast<std::size_t>(info_.width) + static_cast<std::size_t>(s.rect.left));
  }
  rows_left_ -= count;
  return {s.handed_out.data(), static_cast<std::size_t>(count)};
}

std::string tiff_library_version() {
  const std::string_view text = TIFFGetVersion();  // "LIBTIFF, Version 4.5.0\n..."
  const std::size_t begin = text.find_first_of("0123456789");
  if (begin == text.npos) return "unknown";
  return std::string(text.substr(begin, text.find_first_not_of("0123456789.", begin) - begin));
}

}  // namespace ssd
