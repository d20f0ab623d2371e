#include "data/loader/view.h"

#include <algorithm>
#include <cmath>

namespace ssd {
namespace {

struct Stretch {
  int begin = 0;
  int end = 0;
};

struct AxisView {
  Stretch pixels;  // of the image
  Stretch tile;
  float low = 0;  // of the frame
  float high = 1;
};

// The crop in whole pixels, of which at least one is the image's.
Stretch whole_pixels(float low, float high, int length) {
  const int begin = std::min(static_cast<int>(std::lround(low * static_cast<float>(length))), length - 1);
  const int end = std::max({static_cast<int>(std::lround(high * static_cast<float>(length))), begin + 1, 1});
  return {begin, end};
}

AxisView view_of_axis(float low, float high, int length) {
  const Stretch crop = whole_pixels(low, high, length);
  const auto share = [length](int pixel) { return static_cast<float>(pixel) / static_cast<float>(length); };
  if (crop.begin >= 0 && crop.end <= length)
    return {crop, {0, image_size}, share(crop.begin), share(crop.end)};
  AxisView axis;
  axis.pixels = {std::max(crop.begin, 0), std::min(crop.end, length)};
  const double inputs = static_cast<double>(image_size) / (crop.end - crop.begin);  // of a pixel
  const auto at = [&](int pixel) { return static_cast<int>(std::lround((pixel - crop.begin) * inputs)); };
  axis.tile.begin = std::min(at(axis.pixels.begin), image_size - 1);
  axis.tile.end = std::max(at(axis.pixels.end), axis.tile.begin + 1);
  const double pixels = static_cast<double>(axis.pixels.end - axis.pixels.begin) /
                        (axis.tile.end - axis.tile.begin);  // of an input
  axis.low = static_cast<float>((axis.pixels.begin - axis.tile.begin * pixels) / length);
  axis.high = static_cast<float>((axis.pixels.begin + (image_size - axis.tile.begin) * pixels) / length);
  return axis;
}

void mirror(int& begin, int& end) {
  const int was = begin;
  begin = image_size - end;
  end = image_size - was;
}

}  // namespace

View view_of(const Box& crop, int width, int height) {
  const AxisView x = view_of_axis(crop.left, crop.right, width);
  const AxisView y = view_of_axis(crop.top, crop.bottom, height);
  return {.rect = {x.pixels.begin, y.pixels.begin, x.pixels.end, y.pixels.end},
          .tile = {x.tile.begin, y.tile.begin, x.tile.end, y.tile.end},
          .frame = {x.low, y.low, x.high, y.high}};
}

void mirror(View& view, bool flip_x, bool flip_y) {
  view.flip_x ^= flip_x;
  view.flip_y ^= flip_y;
  if (flip_x) mirror(view.tile.left, view.tile.right);
  if (flip_y) mirror(view.tile.top, view.tile.bottom);
}

void mirror(std::span<LabeledBox> boxes, bool flip_x, bool flip_y) {
  for (LabeledBox& labeled : boxes) {
    const Box box = labeled.box;
    if (flip_x) {
      labeled.box.left = 1 - box.right;
      labeled.box.right = 1 - box.left;
    }
    if (flip_y) {
      labeled.box.top = 1 - box.bottom;
      labeled.box.bottom = 1 - box.top;
    }
  }
}

}  // namespace ssd
