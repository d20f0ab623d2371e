// TIFF to RGB.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "image/decoder.h"

namespace ssd {

// By libtiff: the first image of a file, BigTIFF too, in strips or tiles, in all compressions that libtiff
// knows; gray, palettes, RGB, CMYK of 1 to 16 bits a sample as tiff_samples.h says; YCbCr, Lab and others as
// libtiff makes RGB of them. Alpha is laid over white. Samples of 32 bits or with a sign are refused: nothing
// says which of their values are black and white. The orientation is that of the file's tag 274.
//
// Strips or rows of tiles are decoded one at a time, and only those that the part lies in; but for YCbCr
// outside of JPEG and the like the whole image is held.
class TiffDecoder final : public ImageDecoder {
 public:
  explicit TiffDecoder(const ImageLimits& limits = image_limits());
  ~TiffDecoder() override;

  const ImageInfo& open(std::span<const std::byte> bytes) override;
  void start(const ImagePart& part) override;
  std::span<const std::uint8_t* const> read_rows() override;

 private:
  struct State;
  void read_layout();
  void check_size();
  void read_band(int y);

  ImageLimits limits_;
  std::unique_ptr<State> state_;
};

// Of libtiff: "4.5.0".
std::string tiff_library_version();

}  // namespace ssd
