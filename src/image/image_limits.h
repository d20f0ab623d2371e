// What an image may cost.
#pragma once

#include <cstdint>
#include <string_view>

namespace ssd {

// A header of a few bytes can ask for any of this, so each has an end.
struct ImageLimits {
  std::int64_t pixels = 178'956'970;                    // where Pillow refuses an image too
  int scans = 100;                                      // of a progressive JPEG
  std::int64_t scanned_pixels = std::int64_t{1} << 31;  // scans times pixels
  std::int64_t memory = 8 * 178'956'970LL;              // bytes that one image may take
};

// Those of all decoders that are made without limits of their own.
const ImageLimits& image_limits();

// Images of that many pixels, and 8 bytes a pixel where that is more than the memory of an image so far. To
// be called before the first decoder is made, by one thread: it is an option of the whole program.
void set_max_image_pixels(std::int64_t pixels);

// What an image of a size takes to be decoded.
struct ImageCost {
  std::int64_t width = 0, height = 0;
  std::int64_t memory = 0;  // bytes
  std::string_view kind{};  // ", interlaced": what makes it need as much, for the message
};

// Throws Error ("PNG size: got ...") for a size without a pixel, of more pixels than the limit or of more
// memory. `format` names the format.
void check_image_cost(std::string_view format, const ImageCost& cost, const ImageLimits& limits);

}  // namespace ssd
