// Detections drawn on their picture.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

namespace ssd {

// A picture in memory: RGB bytes, row-major, height x width x 3. Owned by the caller.
struct RgbPicture {
  int width;
  int height;
  std::span<const std::uint8_t> pixels;
};

// A box in pixels of the picture, from its left upper corner, and what to write on its tag.
struct DrawnBox {
  float left, top, right, bottom;
  std::string text;  // UTF-8, as "person 0.93"; empty: no tag
  int colour = 0;    // one of kDrawingColours, counted round: the class, say
};

inline constexpr int kDrawingColours = 16;

// Writes the picture with its boxes as a PNG, atomically. Outlines and tags scale with the picture. Tags stay
// inside it and, where there is room, off each other: boxes that come first get the better places. What of a
// box lies outside the picture is left out.
// Throws Error for a picture whose size does not fit its bytes, a box that is not finite, and a file that
// cannot be written.
void draw_boxes(const std::filesystem::path& png, const RgbPicture& picture, std::span<const DrawnBox> boxes);

}  // namespace ssd
