// How a camera was held: the EXIF orientation tag, and what it does to a picture.
#pragma once

#include <cstddef>
#include <span>

#include "image/pixel_rect.h"

namespace ssd {

// The way from the stored picture to the one to be looked at: first the axes change places where `transpose`
// is set, then the columns (flip_x) and the rows (flip_y) of that picture are mirrored.
struct Turn {
  bool transpose = false;
  bool flip_x = false;
  bool flip_y = false;

  bool operator==(const Turn&) const = default;
};

// The turn of an orientation tag (TIFF 6.0, tag 274): 1 to 8; any other value turns nothing.
Turn turn_of_orientation(int orientation);

// Whether a width x height picture looks another way when turned and keeps its size (orientations 2 to 4, and
// all but 1 of a square): the size that an annotation states does not tell which way its boxes were drawn.
bool turns_in_place(const Turn& turn, int width, int height);

// The orientation tag of an APP1 segment's payload ("Exif\0\0", then a TIFF file), 1 where there is none or
// the segment is malformed: half of the cameras' tags are wrong somewhere, and none is worth a lost picture.
int exif_orientation(std::span<const std::byte> segment);

// Where a part of the turned picture, which is width x height pixels, lies in the stored one.
PixelRect to_stored(const PixelRect& turned, int width, int height, const Turn& turn);

}  // namespace ssd
