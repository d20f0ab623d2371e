// Which way up the boxes of a stored picture were drawn.
#pragma once

#include "image/exif.h"
#include "image/jpeg.h"

namespace ssd {

// The way the boxes of a JPEG were drawn, by the annotation's width and height: on the stored picture, or on
// the one that its EXIF orientation turns it into. An annotation without a size means the turned one. Where
// the sizes fit both, the stored one is meant, as in COCO. A picture scaled after it was annotated (its
// aspect is that of the annotation within 2%) is taken as it is. Throws Error where the aspect fits neither
// way.
Turn turn_for_annotation(const JpegInfo& info, int annotated_width, int annotated_height);

}  // namespace ssd
