#include "image/image_limits.h"

#include <algorithm>

#include "base/error.h"

namespace ssd {
namespace {

ImageLimits& limits_of_the_program() {
  static ImageLimits limits;
  return limits;
}

}  // namespace

const ImageLimits& image_limits() { return limits_of_the_program(); }

void set_max_image_pixels(std::int64_t pixels) {
  constexpr std::int64_t bytes_a_pixel = 8;
  ImageLimits& limits = limits_of_the_program();
  limits.pixels = pixels;
  limits.memory = std::max(ImageLimits{}.memory, bytes_a_pixel * pixels);
}

void check_image_cost(std::string_view format, const ImageCost& cost, const ImageLimits& limits) {
  if (cost.width < 1 || cost.height < 1) {
    throw Error("{} size: got {}x{} pixels, expected at least 1x1; replace the file", format, cost.width,
                cost.height);
  }
  // Neither product may overflow.
  if (cost.width > limits.pixels / cost.height) {
    throw Error(
        "{} size: got {}x{} pixels, expected at most {} in all; scale the image down or raise "
        "--max-image-pixels",
        format, cost.width, cost.height, limits.pixels);
  }
  if (cost.memory > limits.memory) {
    throw Error(
        "{} size: got {}x{} pixels{}, which take {} bytes of memory, expected at most {}; scale the image "
        "down",
        format, cost.width, cost.height, cost.kind, cost.memory, limits.memory);
  }
}

}  // namespace ssd
