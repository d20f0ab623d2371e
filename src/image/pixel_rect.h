// Rectangles of whole pixels.
#pragma once

namespace ssd {

// Columns left .. right - 1 of rows top .. bottom - 1.
struct PixelRect {
  int left = 0;
  int top = 0;
  int right = 0;
  int bottom = 0;

  int width() const { return right - left; }
  int height() const { return bottom - top; }
  bool operator==(const PixelRect&) const = default;
};

}  // namespace ssd
