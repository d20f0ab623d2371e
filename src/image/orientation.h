// Which way up the boxes of a stored image were drawn.
#pragma once

#include "image/decoder.h"
#include "image/exif.h"

namespace ssd {

// The orientation in which the boxes of a stored image were drawn, by the annotation's width and height: that
// of the stored image, or the one that its EXIF tag states. An annotation without a size means the latter.
// Where the size fits both, the stored image is meant, as in COCO. An image scaled after it was annotated
// (its aspect is that of the annotation within 2%) is taken as it is. Throws Error where the aspect fits
// neither.
Orientation orientation_for_annotation(const ImageInfo& info, int annotated_width, int annotated_height);

}  // namespace ssd
