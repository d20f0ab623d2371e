// JPEG to RGB, the whole image or a part of it, row by row.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "image/exif.h"
#include "image/pixel_rect.h"

namespace ssd {

// What a JPEG's header says.
struct JpegInfo {
  int width = 0;  // as stored, whatever the orientation
  int height = 0;
  int components = 0;   // 1 gray, 3 YCbCr or RGB, 4 CMYK or YCCK
  int orientation = 1;  // EXIF, 1 to 8
};

// What an image may cost. A header of a few bytes can ask for any of this, so each has an end.
struct JpegLimits {
  std::int64_t pixels = std::int64_t{1} << 27;
  int scans = 100;                                      // of a progressive file
  std::int64_t scanned_pixels = std::int64_t{1} << 31;  // scans times pixels
  std::int64_t memory = std::int64_t{1} << 30;          // bytes that libjpeg may take
};

// The part of an image to decode: `rect` of the image after scaling down by `denominator` (1, 2, 4 or 8;
// its sides are the image's divided by it, rounded up). Scaling happens in the inverse transform: pixel i
// of the smaller image is the mean of pixels i * denominator ... of the whole one, but for chroma.
struct JpegPart {
  PixelRect rect;
  int denominator = 1;
};

// Decodes one JPEG after the other; keeps its memory in between. One a thread.
//
//   const JpegInfo& info = decoder.open(bytes);
//   decoder.start({.rect = {0, 0, info.width, info.height}});
//   while (decoder.rows_left() > 0) for (const std::uint8_t* row : decoder.read_rows()) ...
//
// Pixels are those of a decoding of the whole image, whatever the part. Gray is spread to three components;
// CMYK and YCCK become RGB by R = C * K / 255 of the inverted values that Adobe's files hold. Everything here
// throws Error for what is no JPEG, is damaged or truncated within the rows read, is beyond the limits or is
// of a kind that libjpeg-turbo 2.1 cannot read (12 bits, lossless, hierarchical). The message has no file
// name.
class JpegDecoder {
 public:
  static constexpr int rows_at_once = 8;  // rows handed out at once

  explicit JpegDecoder(const JpegLimits& limits = {});
  ~JpegDecoder();
  JpegDecoder(const JpegDecoder&) = delete;
  JpegDecoder& operator=(const JpegDecoder&) = delete;

  // Reads the header. `bytes` must stay until the last row is read.
  const JpegInfo& open(std::span<const std::byte> bytes);

  void start(const JpegPart& part);
  int rows_left() const { return rows_left_; }
  // The next rows of the part, at most rows_at_once: R, G, B, R, ... of rect.width() pixels. Valid until the
  // next call.
  std::span<const std::uint8_t* const> read_rows();

 private:
  struct State;
  void check_header();
  void skip(int rows);

  JpegLimits limits_;
  std::unique_ptr<State> state_;
  JpegInfo info_;
  int rows_left_ = 0;
};

// An image in memory: height x width x 3, RGB, rows without gaps.
struct Image {
  int width = 0;
  int height = 0;
  std::vector<std::uint8_t> rgb;
};

// The whole image, as stored.
Image decode_jpeg(std::span<const std::byte> bytes, const JpegLimits& limits = {});
JpegInfo read_jpeg_header(std::span<const std::byte> bytes);

// Of libjpeg-turbo: "2.1.5".
std::string jpeg_library_version();

// Whether a file's name ends as those of JPEG files do.
bool is_jpeg_name(const std::filesystem::path& file);

// The stored image in that orientation: upright, where it is the EXIF tag's.
Image oriented(Image stored, const Orientation& orientation);

}  // namespace ssd
