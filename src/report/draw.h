// Detections drawn on their image.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

namespace ssd {

// An image in memory: RGB bytes, row-major, height x width x 3. Owned by the caller.
struct RgbImage {
  int width;
  int height;
  std::span<const std::uint8_t> pixels;
};

// A box in pixels of the image, from its left upper corner, and what to write on its tag.
struct DrawnBox {
  float left, top, right, bottom;
  std::string text;        // UTF-8, as "person 0.93"; empty: no tag
  int colour = 0;          // one of drawing_colours, counted round: the class, say
  std::string plain = {};  // instead of a text that the system's fonts cannot write, as "class 3 0.93"
};

// Whether the system's fonts have all characters of a text.
bool can_draw(const std::string& text);

inline constexpr int drawing_colours = 16;

enum class DrawingFormat { jpeg, png };          // of quality 90; lossless
std::string extension_of(DrawingFormat format);  // ".jpg", ".png"

// Writes the image with its boxes, atomically (AtomicFile::commit_unsynced). Outlines and tags scale with the
// image. Tags stay inside it and, where there is room, off each other: boxes that come first get the better
// places. What of a box lies outside the image is left out. Throws Error for an image whose size does not fit
// its bytes, a box that is not finite, and a file that cannot be written.
void draw_boxes(const std::filesystem::path& file, const RgbImage& image, std::span<const DrawnBox> boxes,
                DrawingFormat format);

}  // namespace ssd
