// Encoded images to RGB, the whole or a part, row by row: what the decoders of all formats have in common.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "image/image_limits.h"
#include "image/pixel_rect.h"

namespace ssd {

// What an image's header says.
struct ImageInfo {
  int width = 0;  // as stored, whatever the orientation
  int height = 0;
  int channels = 0;     // of colour: 1 gray, 3 RGB, YCbCr or a palette, 4 CMYK; alpha does not count
  int orientation = 1;  // EXIF, 1 to 8
};

// The part of an image to decode: `rect` of the image after scaling down by `denominator` (a power of two, at
// most the decoder's max_denominator(); its sides are the image's divided by it, rounded up). Pixel i of the
// smaller image is the mean of pixels i * denominator ... of the whole one, but for JPEG's chroma.
struct ImagePart {
  PixelRect rect;
  int denominator = 1;
};

// Decodes one image of its format after the other; keeps its memory in between. One a thread.
//
//   const ImageInfo& info = decoder.open(bytes);
//   decoder.start({.rect = {0, 0, info.width, info.height}});
//   while (decoder.rows_left() > 0) for (const std::uint8_t* row : decoder.read_rows()) ...
//
// Pixels are those of a decoding of the whole image, whatever the part. Everything here throws Error for what
// is not of the format, is damaged or truncated within the rows read, is beyond the limits or is of a kind
// that the format's library cannot read; the next image is then decoded as if nothing had been. The message
// has no file name.
class ImageDecoder {
 public:
  static constexpr int rows_at_once = 8;  // rows handed out at once, at most

  virtual ~ImageDecoder() = default;
  ImageDecoder(const ImageDecoder&) = delete;
  ImageDecoder& operator=(const ImageDecoder&) = delete;

  // Reads the header. `bytes` must stay until the last row is read.
  virtual const ImageInfo& open(std::span<const std::byte> bytes) = 0;
  const ImageInfo& info() const { return info_; }  // of the image that was opened last

  // How far an image can be scaled down on its way: 1, 2, 4 or 8.
  virtual int max_denominator() const { return 1; }

  virtual void start(const ImagePart& part) = 0;
  void start_whole() { start({.rect = {0, 0, info_.width, info_.height}}); }
  int rows_left() const { return rows_left_; }
  // The next rows of the part: R, G, B, R, ... of rect.width() pixels. Valid until the next call.
  virtual std::span<const std::uint8_t* const> read_rows() = 0;

 protected:
  ImageDecoder() = default;

  ImageInfo info_;
  int rows_left_ = 0;
};

}  // namespace ssd
