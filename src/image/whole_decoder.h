// What decoders share whose formats or libraries give an image as a whole only.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "image/decoder.h"

namespace ssd {

// Decodes the image when it is started, and then hands its rows out. The memory is given back when the next
// image is opened.
class WholeDecoder : public ImageDecoder {
 public:
  void start(const ImagePart& part) final;
  std::span<const std::uint8_t* const> read_rows() final;

 protected:
  // The pixels of info()'s whole image; they belong to the decoder, and alpha is laid over white in them.
  struct Raster {
    std::uint8_t* pixels = nullptr;
    std::size_t row_bytes = 0;  // from one row to the next
    int channels = 3;           // 3 RGB, 4 RGBA
  };

  // Called once an image.
  virtual Raster decode() = 0;

  // Not a vector: it would fill them with zeros.
  std::unique_ptr<std::uint8_t[]> make_pixels(int channels) const;

 private:
  Raster raster_;
  PixelRect rect_;
  std::array<const std::uint8_t*, rows_at_once> handed_out_{};
};

}  // namespace ssd
