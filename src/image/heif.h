// HEIC and AVIF to RGB.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "image/image_limits.h"
#include "image/whole_decoder.h"

namespace ssd {

// By libheif, which is loaded when the first such image is opened: without it, or without one of its codecs,
// that image is an Error that says what to install. The primary image of a file, 8 bits a component; alpha is
// laid over white. The file's own transformations (clap, irot, imir) are carried out, so that info() has the
// size and the orientation after them; an EXIF orientation beside them is only a record of what they were
// (ISO/IEC 23008-12), which Pillow passes over too. Colour profiles are passed over. Damaged
// AVIF files make dav1d, the decoder behind libheif, print lines of its own to standard error.
class HeifDecoder final : public WholeDecoder {
 public:
  explicit HeifDecoder(const ImageLimits& limits = image_limits());
  ~HeifDecoder() override;

  const ImageInfo& open(std::span<const std::byte> bytes) override;

 private:
  struct State;
  Raster decode() override;

  ImageLimits limits_;
  std::unique_ptr<State> state_;
};

// Of libheif on this machine: "1.15.1"; "none" without it.
std::string heif_library_version();

}  // namespace ssd
