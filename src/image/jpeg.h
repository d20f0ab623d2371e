// JPEG to RGB.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "image/decoder.h"

namespace ssd {

// By libjpeg-turbo 2.1, which cannot read some kinds (12 bits, lossless, hierarchical). Scaling happens in
// the inverse transform. Gray is spread to three components; CMYK and YCCK become RGB by R = C * K / 255 of
// the inverted values that Adobe's files hold.
class JpegDecoder final : public ImageDecoder {
 public:
  explicit JpegDecoder(const ImageLimits& limits = image_limits());
  ~JpegDecoder() override;

  const ImageInfo& open(std::span<const std::byte> bytes) override;
  int max_denominator() const override { return 8; }
  void start(const ImagePart& part) override;
  std::span<const std::uint8_t* const> read_rows() override;

 private:
  struct State;
  void check_header();
  void skip(int rows);

  ImageLimits limits_;
  std::unique_ptr<State> state_;
};

// Of libjpeg-turbo: "2.1.5".
std::string jpeg_library_version();

}  // namespace ssd
