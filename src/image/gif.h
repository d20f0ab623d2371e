// GIF to RGB.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "image/image_limits.h"
#include "image/whole_decoder.h"

namespace ssd {

// By giflib: the first frame, as Pillow does. What is transparent, and what lies around a frame that has a
// transparent colour, is white; without one, what lies around it is of its colour 0. A frame that is larger
// than the screen makes that larger. Without a palette the entries are shades of gray.
class GifDecoder final : public WholeDecoder {
 public:
  explicit GifDecoder(const ImageLimits& limits = image_limits());
  ~GifDecoder() override;

  const ImageInfo& open(std::span<const std::byte> bytes) override;

 private:
  struct State;
  Raster decode() override;

  ImageLimits limits_;
  std::unique_ptr<State> state_;
};

// Of giflib: "5.2.1".
std::string gif_library_version();

}  // namespace ssd
