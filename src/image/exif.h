// How a camera was held: the EXIF orientation tag, and what it does to an image.
#pragma once

#include <cstddef>
#include <span>

#include "image/pixel_rect.h"

namespace ssd {

// The way from the stored image to the one to be looked at: first the axes change places where `transpose`
// is set, then the columns (flip_x) and the rows (flip_y) of that image are mirrored.
struct Orientation {
  bool transpose = false;
  bool flip_x = false;
  bool flip_y = false;

  bool operator==(const Orientation&) const = default;
};

// Of the tag's value (TIFF 6.0, tag 274), 1 to 8; any other value leaves the image as it is stored.
Orientation orientation_of_tag(int tag);

// Whether a width x height image changes with this orientation but keeps its size (tags 2 to 4, and all but 1
// of a square): then the size that an annotation states does not tell in which orientation its boxes were
// drawn.
bool is_ambiguous(const Orientation& orientation, int width, int height);

// The orientation tag of an APP1 segment's payload ("Exif\0\0", then a TIFF file), 1 where there is none or
// the segment is malformed: half of the cameras' tags are wrong somewhere, and none is worth a lost image.
int exif_orientation(std::span<const std::byte> segment);

// The same of a TIFF file alone, as PNG's eXIf chunk holds it.
int tiff_orientation(std::span<const std::byte> tiff);

// Where a part of the oriented image, which is width x height pixels, lies in the stored one.
PixelRect to_stored(const PixelRect& oriented, int width, int height, const Orientation& orientation);

}  // namespace ssd
