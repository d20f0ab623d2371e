// Which part of an image a network input shows, and where.
#pragma once

#include <span>
#include <vector>

#include "boxes/box.h"
#include "boxes/labeled_box.h"
#include "boxes/ssd300.h"
#include "image/pixel_rect.h"

namespace ssd {

// Of the square network input (image_size a side), all of it.
inline constexpr PixelRect whole_tile = {0, 0, image_size, image_size};

struct View {
  PixelRect rect;                // of the oriented image, what shows of it
  PixelRect tile = whole_tile;   // of the network input, where it shows
  Box frame = {0, 0, 1, 1};      // what the network input covers, relative to the image; exact for `tile`
  bool flip_x = false;           // left and right change places within the tile
  bool flip_y = false;           // top and bottom
};

// A view of a whole number of pixels, at least one each way, as near to `crop` (ltrb, relative to the oriented
// image of width x height pixels) as can be. Where the crop reaches beyond the image, the tile is the part of
// the network input that the image covers, in whole pixels too.
View view_of(const Box& crop, int width, int height);

// The mirrored view: the tile moves, and its content turns round. `frame` stays as it was before.
void mirror(View& view, bool flip_x, bool flip_y);

// Boxes (0..1 of the network input), mirrored.
void mirror(std::span<LabeledBox> boxes, bool flip_x, bool flip_y);

}  // namespace ssd
