#include "image/orientation.h"

#include <cmath>

#include "base/error.h"

namespace ssd {
namespace {

bool same_aspect(int width, int height, int other_width, int other_height) {
  const double ratio =
      static_cast<double>(width) * other_height / (static_cast<double>(height) * other_width);
  return std::abs(ratio - 1) <= 0.02;
}

}  // namespace

Orientation orientation_for_annotation(const ImageInfo& info, int annotated_width, int annotated_height) {
  const Orientation orientation = orientation_of_tag(info.orientation);
  if (annotated_width <= 0 || annotated_height <= 0) return orientation;
  if (info.width == annotated_width && info.height == annotated_height) return {};
  const bool swaps = orientation.transpose;
  if (swaps && info.height == annotated_width && info.width == annotated_height) return orientation;
  if (same_aspect(info.width, info.height, annotated_width, annotated_height)) return {};
  if (swaps && same_aspect(info.height, info.width, annotated_width, annotated_height)) return orientation;
  throw Error(
      "image size: got {}x{} (EXIF orientation {}), expected {}x{} as annotated; correct the annotation",
      info.width, info.height, info.orientation, annotated_width, annotated_height);
}

}  // namespace ssd
