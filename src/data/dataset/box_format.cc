#include "data/dataset/box_format.h"

#include <fmt/format.h>

#include <cstddef>
#include <cstdint>
#include <unordered_map>

namespace ssd {
namespace {

constexpr double edge_tolerance = 0.5;  // pixels

bool fits(double left, double top, double right, double bottom, const CocoImage& image) {
  return left >= -edge_tolerance && top >= -edge_tolerance && right > left && bottom > top &&
         right <= image.width + edge_tolerance && bottom <= image.height + edge_tolerance;
}

}  // namespace

BoxFormat guess_box_format(const CocoFile& coco) {
  std::unordered_map<std::int64_t, const CocoImage*> images;
  for (const CocoImage& image : coco.images) images.emplace(image.id, &image);
  std::size_t tiny = 0, known = 0, outside = 0, no_corners = 0;
  for (const CocoAnnotation& annotation : coco.annotations) {
    const auto& [left, top, width, height] = annotation.bbox;
    tiny += left >= 0 && top >= 0 && left + width <= 1 && top + height <= 1;
    const auto image = images.find(annotation.image_id);
    if (image == images.end()) continue;
    ++known;
    outside += !fits(left, top, left + width, top + height, *image->second);
    no_corners += !fits(left, top, width, height, *image->second);
  }
  // A real set has a few boxes in a corner's pixel at most.
  if (const std::size_t all = coco.annotations.size(); 2 * tiny > all)
    return {BoxFormat::Kind::normalized,
            fmt::format("got {} of {} boxes within the first pixel, expected pixels; are these normalized "
                        "coordinates? Multiply by the image's width and height",
                        tiny, all)};
  // Boxes in the upper left of their images fit both ways. A few may be wrong either way.
  if (4 * outside > known && 4 * no_corners < outside)
    return {
        BoxFormat::Kind::corners,
        fmt::format("got {} of {} boxes that reach outside their images, but {} would as left, top, right, "
                    "bottom; expected left, top, width, height: take left and top off the last two",
                    outside, known, no_corners)};
  return {};
}

}  // namespace ssd
