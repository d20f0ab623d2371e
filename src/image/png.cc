#include "image/png.h"

#include <png.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <csetjmp>
#include <cstdio>
#include <cstring>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "image/convert_rows.h"
#include "image/exif.h"
#include "image/png_inflate.h"

namespace ssd {

// What libpng works on; the pointers that it hands to its callbacks lead back here.
struct PngDecoder::State {
  png_structp png = nullptr;
  png_infop info = nullptr;
  std::jmp_buf escape;
  std::array<char, 200> reason{};
  std::span<const std::byte> bytes;
  std::size_t at = 0;  // bytes that libpng has taken
  InflatedPng inflated;
  bool reads_inflated = false;
  bool interlaced = false;
  std::size_t channels = 0;  // of a decoded row: 3 RGB, 4 with alpha
  std::size_t row_bytes = 0;
  PixelRect rect;
  std::vector<std::uint8_t>
      memory;  // (rows_at_once, row_bytes), or (height, row_bytes) of an interlaced image
  std::array<const std::uint8_t*, rows_at_once> handed_out{};

  State() = default;
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() { close(); }

  void close() { png_destroy_read_struct(&png, &info, nullptr); }

  // Nobody on the way may own anything: a jump calls no destructors.
  [[noreturn]] void leave(const char* why) {
    std::snprintf(reason.data(), reason.size(), "%s", why);
    std::longjmp(escape, 1);
  }

  static void on_error(png_structp png, png_const_charp message) {
    static_cast<State*>(png_get_error_ptr(png))->leave(message);
  }

  static void on_warning(png_structp, png_const_charp) {}

  static void on_read(png_structp png, png_bytep to, png_size_t count) {
    State& s = *static_cast<State*>(png_get_io_ptr(png));
    if (s.reads_inflated) {
      if (!s.inflated.read(reinterpret_cast<std::byte*>(to), count)) s.leave("too few pixels");
      return;
    }
    if (count > s.bytes.size() - s.at) {
      s.at = s.bytes.size();
      s.leave("the end of the data before the end of the image");
    }
    std::memcpy(to, s.bytes.data() + s.at, count);
    s.at += count;
  }

  // Runs calls of libpng; what it has to complain about becomes an Error. `call` must own nothing: a
  // complaint jumps out of it.
  template <typename Call>
  void guarded(Call call) {
    if (setjmp(escape) != 0) {
      throw Error(
          "PNG data: got {} at byte {} of {}, expected a whole image that libpng can read; replace the file "
          "or save it anew",
          reason.data(), at, bytes.size());
    }
    call();
  }

  // Begins anew with the file, or with the uncompressed one, whose checksums have been compared.
  void read_header(bool from_inflated) {
    close();
    reads_inflated = from_inflated;
    at = from_inflated ? bytes.size() : 0;
    guarded([this] {
      png = png_create_read_struct(PNG_LIBPNG_VER_STRING, this, on_error, on_warning);
      if (png == nullptr) leave("no memory");
      info = png_create_info_struct(png);
      if (info == nullptr) leave("no memory");
      png_set_read_fn(png, this, on_read);
      png_set_user_limits(png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);  // check_size has its own
      const int action = reads_inflated ? PNG_CRC_QUIET_USE : PNG_CRC_ERROR_QUIT;
      png_set_crc_action(png, action, action);
#ifdef PNG_IGNORE_ADLER32
      if (reads_inflated) png_set_option(png, PNG_IGNORE_ADLER32, PNG_OPTION_ON);
#endif
      // Of the chunks that an image can do without, only tRNS is read; texts and profiles would be unpacked.
      png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, nullptr, -1);
      png_read_info(png, info);
    });
  }

  std::uint8_t* row(int i) { return memory.data() + static_cast<std::size_t>(i) * row_bytes; }
};

namespace {

constexpr std::size_t signature_bytes = 8;
constexpr std::int64_t most_inflated = std::int64_t{64} << 20;  // bytes of pixels; of 22 million in RGB

std::size_t number_at(std::span<const std::byte> bytes, std::size_t at) {
  std::size_t value = 0;
  for (const std::byte b : bytes.subspan(at, 4)) value = value << 8 | std::to_integer<std::size_t>(b);
  return value;
}

// The orientation of the first eXIf chunk: libpng would find those before the pixels only. Throws Error where
// a chunk (length, kind, data, checksum) reaches beyond the end.
int orientation_in_chunks(std::span<const std::byte> bytes) {
  constexpr std::size_t around_data = 12;
  int orientation = 0;
  for (std::size_t at = signature_bytes; at < bytes.size();) {
    const std::size_t left = bytes.size() - at;
    if (left < around_data || number_at(bytes, at) > left - around_data) {
      throw Error(
          "PNG data: got {} bytes with a chunk that begins at byte {} and reaches beyond them, expected a "
          "whole file; replace it",
          bytes.size(), at);
    }
    const std::size_t length = number_at(bytes, at);
    const std::string_view kind(reinterpret_cast<const char*>(bytes.data()) + at + 4, 4);
    if (kind == "eXIf" && orientation == 0) orientation = tiff_orientation(bytes.subspan(at + 8, length));
    if (kind == "IEND") break;
    at += around_data + length;
  }
  return std::max(1, orientation);
}

}  // namespace

PngDecoder::PngDecoder(const ImageLimits& limits) : limits_(limits), state_(std::make_unique<State>()) {}
PngDecoder::~PngDecoder() = default;

const ImageInfo& PngDecoder::open(std::span<const std::byte> bytes) {
  State& s = *state_;
  rows_left_ = 0;
  if (s.interlaced) s.memory = {};
  s.bytes = bytes;
  s.read_header(false);
  s.interlaced = png_get_interlace_type(s.png, s.info) != PNG_INTERLACE_NONE;
  check_size();
  const bool coloured = (png_get_color_type(s.png, s.info) & PNG_COLOR_MASK_COLOR) != 0;
  info_ = {static_cast<int>(png_get_image_width(s.png, s.info)),
           static_cast<int>(png_get_image_height(s.png, s.info)), coloured ? 3 : 1,
           orientation_in_chunks(bytes)};
  return info_;
}

void PngDecoder::check_size() {
  const State& s = *state_;
  const std::int64_t width = png_get_image_width(s.png, s.info), height = png_get_image_height(s.png, s.info);
  // The rows held here, with alpha, and libpng's two, of 16 bits.
  const std::int64_t rows = s.interlaced ? height : std::min<std::int64_t>(height, rows_at_once);
  check_image_cost(
      "PNG", {width, height, 4 * width * rows + 2 * 8 * width, s.interlaced ? ", interlaced" : ""}, limits_);
  // Deflate makes at most 258 bytes of 2 bits.
  constexpr std::int64_t most_of_a_byte = 1032;
  const std::int64_t unpacked = static_cast<std::int64_t>(png_get_rowbytes(s.png, s.info)) * height;
  if (unpacked > most_of_a_byte * static_cast<std::int64_t>(s.bytes.size())) {
    throw Error("PNG data: got {} bytes, expected at least {} for {}x{} pixels; replace the file",
                s.bytes.size(), unpacked / most_of_a_byte, width, height);
  }
}

void PngDecoder::start(const ImagePart& part) {
  State& s = *state_;
  assert(part.denominator == 1);
  inflate();
  s.guarded([&s] {
    png_set_expand(s.png);  // palettes, fewer than 8 bits, tRNS
    png_set_strip_16(s.png);
    png_set_gray_to_rgb(s.png);
    if (s.interlaced) png_set_interlace_handling(s.png);
    png_read_update_info(s.png, s.info);
  });
  s.rect = part.rect;
  s.channels = png_get_channels(s.png, s.info);
  s.row_bytes = png_get_rowbytes(s.png, s.info);
  assert(s.row_bytes == s.channels * static_cast<std::size_t>(info_.width));
  assert(s.rect.left >= 0 && s.rect.top >= 0 && s.rect.width() > 0 && s.rect.height() > 0 &&
         s.rect.right <= info_.width && s.rect.bottom <= info_.height);
  const auto rows =
      static_cast<std::size_t>(s.interlaced ? info_.height : std::min(info_.height, rows_at_once));
  if (s.memory.size() < rows * s.row_bytes) s.memory.resize(rows * s.row_bytes);
  if (s.interlaced) {
    read_interlaced();
  } else {
    s.guarded([&s] {
      for (int y = 0; y < s.rect.top; ++y) png_read_row(s.png, s.row(0), nullptr);
    });
  }
  rows_left_ = s.rect.height();
}

// Large images are read row by row: what is inflated at once has to be held.
void PngDecoder::inflate() {
  State& s = *state_;
  const std::size_t row_bytes = png_get_rowbytes(s.png, s.info),
                    height = static_cast<std::size_t>(info_.height);
  const auto most = static_cast<std::size_t>(std::min<std::int64_t>(most_inflated, limits_.memory / 4));
  if (!s.interlaced && row_bytes * height <= most && s.inflated.inflate(s.bytes, row_bytes, height))
    s.read_header(true);
}

// Each pass over the rows fills in the pixels that are its own.
void PngDecoder::read_interlaced() {
  State& s = *state_;
  s.guarded([this, &s] {
    for (int pass = 0; pass < PNG_INTERLACE_ADAM7_PASSES; ++pass) {
      for (int y = 0; y < info_.height; ++y) png_read_row(s.png, s.row(y), nullptr);
    }
  });
}

std::span<const std::uint8_t* const> PngDecoder::read_rows() {
  State& s = *state_;
  const int count = std::min(rows_at_once, rows_left_);
  const int first = s.interlaced ? s.rect.bottom - rows_left_ : 0;
  if (!s.interlaced) {
    s.guarded([&s, count] {
      for (int i = 0; i < count; ++i) png_read_row(s.png, s.row(i), nullptr);
    });
  }
  for (int i = 0; i < count; ++i) {
    std::uint8_t* const row = s.row(first + i);
    if (s.channels == 4) lay_over_white(row, s.rect.left, s.rect.right);
    s.handed_out[static_cast<std::size_t>(i)] = row + 3 * static_cast<std::ptrdiff_t>(s.rect.left);
  }
  rows_left_ -= count;
  return {s.handed_out.data(), static_cast<std::size_t>(count)};
}

std::string png_library_version() { return PNG_LIBPNG_VER_STRING; }

}  // namespace ssd
