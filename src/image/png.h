// PNG to RGB.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "image/decoder.h"

namespace ssd {

// By libpng 1.6: every colour type and depth, interlaced or not; of an animation the image that other readers
// show. Gray is spread to three components, a palette looked up, fewer than 8 bits stretched to 0..255. Of 16
// bits the upper 8 are taken: what Pillow's convert("RGB") does with 16-bit RGB; its 16-bit gray, cut off at
// 255, would be white all over. What is transparent, by an alpha channel or a tRNS chunk, is laid over white:
// (value * alpha + 255 * (255 - alpha)) / 255, rounded. Gamma, colour profiles and background colours are
// passed over, as Pillow does. The orientation is that of the first eXIf chunk, before or behind the pixels.
//
// All chunks have to be there, but for IEND: a file that was cut is refused at once. Checksums are compared
// up to the last row read. Rows above the part are decoded and dropped. An interlaced image is decoded whole
// when it is started, in memory that is given back when the next image is opened. Of others the filtered rows
// are held, inflated at once (png_inflate.h), or, beyond 64 MiB, a few rows.
class PngDecoder final : public ImageDecoder {
 public:
  explicit PngDecoder(const ImageLimits& limits = image_limits());
  ~PngDecoder() override;

  const ImageInfo& open(std::span<const std::byte> bytes) override;
  void start(const ImagePart& part) override;
  std::span<const std::uint8_t* const> read_rows() override;

 private:
  struct State;
  void check_size();
  void inflate();
  void read_interlaced();

  ImageLimits limits_;
  std::unique_ptr<State> state_;
};

// Of libpng: "1.6.39".
std::string png_library_version();

}  // namespace ssd
