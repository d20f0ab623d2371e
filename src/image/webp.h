// WebP to RGB.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "image/image_limits.h"
#include "image/whole_decoder.h"

namespace ssd {

// By libwebp: lossy, lossless, with or without alpha, which is laid over white; of an animation the first
// frame on a white canvas. The orientation is that of the EXIF chunk. Colour profiles are passed over, as
// Pillow does. A file that was cut is refused at once.
class WebpDecoder final : public WholeDecoder {
 public:
  explicit WebpDecoder(const ImageLimits& limits = image_limits());
  ~WebpDecoder() override;

  const ImageInfo& open(std::span<const std::byte> bytes) override;

 private:
  struct State;
  Raster decode() override;

  ImageLimits limits_;
  std::unique_ptr<State> state_;
};

// Of libwebp: "1.2.4".
std::string webp_library_version();

}  // namespace ssd
