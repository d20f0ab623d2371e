#include "report/draw.h"

#include <cairo/cairo.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <memory>
#include <vector>

#include "base/error.h"
#include "image/jpeg_encode.h"
#include "report/text_painter.h"
#include "storage/atomic_file.h"

namespace ssd {
namespace {

struct Colour {
  double red, green, blue;  // 0 .. 1

  // Relative luminance of WCAG 2, which decides between black and white text.
  double luminance() const {
    const auto linear = [](double c) {
      return c <= 0.04045 ? c / 12.92 : std::pow((c + 0.055) / 1.055, 2.4);
    };
    return 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue);
  }
};

constexpr Colour hex(unsigned rgb) {
  return {static_cast<double>(rgb >> 16 & 0xff) / 255, static_cast<double>(rgb >> 8 & 0xff) / 255,
          static_cast<double>(rgb & 0xff) / 255};
}

// Strong hues, neighbours far apart, none near the greys and skin tones that photos are full of.
constexpr std::array<Colour, drawing_colours> palette = {
    hex(0x00b7ff), hex(0xffd400), hex(0xff2d55), hex(0x2ee66b), hex(0xb14cff), hex(0xff8a00),
    hex(0x00e5c8), hex(0xff5fd2), hex(0x3d5afe), hex(0xb8f500), hex(0xd50000), hex(0x00a152),
    hex(0x7c4dff), hex(0xffab91), hex(0x0091a7), hex(0xc2185b),
};

struct Rect {
  double left, top, right, bottom;

  bool overlaps(const Rect& other) const {
    return left < other.right && other.left < right && top < other.bottom && other.top < bottom;
  }
};

// Sizes in pixels, by the image's shorter side.
struct Scale {
  explicit Scale(const RgbImage& image) {
    const double side = std::min(image.width, image.height);
    line = std::max(2.0, 2 * std::round(side * 0.0022));
    font = std::max(10.0, side * 0.026);
    padding = std::max(2.0, font * 0.22);
  }
  double line;  // even: an outline centred between pixels then has sharp edges
  double font, padding;
};

struct DestroySurface {
  void operator()(cairo_surface_t* surface) const { cairo_surface_destroy(surface); }
};
struct DestroyContext {
  void operator()(cairo_t* context) const { cairo_destroy(context); }
};
using Surface = std::unique_ptr<cairo_surface_t, DestroySurface>;
using Context = std::unique_ptr<cairo_t, DestroyContext>;

void check(const RgbImage& image, std::span<const DrawnBox> boxes) {
  const auto expected = static_cast<std::int64_t>(image.width) * static_cast<std::int64_t>(image.height) * 3;
  if (image.width <= 0 || image.height <= 0 || expected != static_cast<std::int64_t>(image.pixels.size()))
    throw Error("image to draw on: got {} bytes for {} x {} pixels, expected {}; pass its RGB bytes",
                image.pixels.size(), image.width, image.height, expected);
  for (std::size_t i = 0; i < boxes.size(); ++i)
    for (const float edge : {boxes[i].left, boxes[i].top, boxes[i].right, boxes[i].bottom})
      if (!std::isfinite(edge))
        throw Error("box {} to draw ('{}'): got an edge at {}, expected pixels; check the detections", i,
                    boxes[i].text, edge);
}

// Cairo's pixels are 32-bit words, blue in the lowest byte.
Surface to_surface(const RgbImage& image) {
  Surface surface(cairo_image_surface_create(CAIRO_FORMAT_RGB24, image.width, image.height));
  const cairo_status_t status = cairo_surface_status(surface.get());
  if (status == CAIRO_STATUS_INVALID_SIZE)
    throw Error("image to draw on: got {} x {} pixels, expected at most 32767 a side; make it smaller",
                image.width, image.height);
  if (status != CAIRO_STATUS_SUCCESS)
    throw Error("image to draw on: got {} x {} pixels: {}; make it smaller", image.width, image.height,
                cairo_status_to_string(status));
  cairo_surface_flush(surface.get());
  unsigned char* const data = cairo_image_surface_get_data(surface.get());
  const auto stride = static_cast<std::size_t>(cairo_image_surface_get_stride(surface.get()));
  const auto width = static_cast<std::size_t>(image.width);
  for (std::size_t y = 0; y < static_cast<std::size_t>(image.height); ++y) {
    const std::uint8_t* from = image.pixels.data() + y * width * 3;
    auto* const row = reinterpret_cast<std::uint32_t*>(data + y * stride);
    for (std::size_t x = 0; x < width; ++x, from += 3)
      row[x] = static_cast<std::uint32_t>(from[0]) << 16 | static_cast<std::uint32_t>(from[1]) << 8 | from[2];
  }
  cairo_surface_mark_dirty(surface.get());
  return surface;
}

// Draws on one image.
class Painter {
 public:
  Painter(cairo_t* context, const RgbImage& image)
      : context_(context),
        width_(image.width),
        height_(image.height),
        scale_(image),
        text_(context, scale_.font) {
    cairo_set_line_join(context_, CAIRO_LINE_JOIN_MITER);
  }

  // The outline, inside the image, over a darker and wider one that sets it off from any ground.
  void draw_outline(const DrawnBox& box) {
    const double inset = scale_.line / 2;
    const auto snapped = [&](float edge, double extent) {
      return std::round(
          std::clamp<double>(edge, std::min(inset, extent / 2), std::max(extent - inset, extent / 2)));
    };
    const Rect rect = {snapped(box.left, width_), snapped(box.top, height_), snapped(box.right, width_),
                       snapped(box.bottom, height_)};
    cairo_rectangle(context_, rect.left, rect.top, rect.right - rect.left, rect.bottom - rect.top);
    cairo_set_source_rgba(context_, 0, 0, 0, 0.4);
    cairo_set_line_width(context_, scale_.line * 2);
    cairo_stroke_preserve(context_);
    set_colour(colour_of(box));
    cairo_set_line_width(context_, scale_.line);
    cairo_stroke(context_);
  }

  void draw_tag(const DrawnBox& box) {
    if (box.text.empty()) return;
    const std::string& text = box.plain.empty() || text_.can_write(box.text) ? box.text : box.plain;
    const TextPainter::Extent extent = text_.extent(text);
    const Rect tag = place(box, extent.width + 2 * scale_.padding, extent.ascent + extent.descent);
    taken_.push_back(tag);

    cairo_save(context_);
    cairo_rectangle(context_, tag.left, tag.top, tag.right - tag.left, tag.bottom - tag.top);
    cairo_clip_preserve(context_);  // text wider than the image is cut at the tag
    set_colour(colour_of(box));
    cairo_fill(context_);
    // White on colours under the luminance at which black and white contrast alike.
    set_colour(colour_of(box).luminance() < 0.179 ? Colour{1, 1, 1} : Colour{0, 0, 0});
    text_.write(text, tag.left + scale_.padding, tag.top + extent.ascent);
    cairo_restore(context_);
  }

 private:
  static const Colour& colour_of(const DrawnBox& box) {
    const int index = box.colour % drawing_colours;
    return palette[static_cast<std::size_t>(index < 0 ? index + drawing_colours : index)];
  }

  void set_colour(const Colour& c) { cairo_set_source_rgb(context_, c.red, c.green, c.blue); }

  // The first free place among: on the box's upper edge, hanging from it inside, on the lower edge inside,
  // hanging below; each at the left corner, then at the right. If all are taken, the one that covers least.
  Rect place(const DrawnBox& box, double width, double height) const {
    const double half = scale_.line / 2;
    const double left = box.left - half, right = box.right + half - width;
    const std::array<double, 4> tops = {box.top - half - height, box.top - half, box.bottom + half - height,
                                        box.bottom + half};
    Rect best = {};
    int fewest = -1;
    for (const double top : tops) {
      const bool fits = top >= 0 && top + height <= height_;
      for (const double start : {left, right}) {
        const Rect tag = inside(start, top, width, height);
        const int covered = static_cast<int>(
            std::ranges::count_if(taken_, [&](const Rect& other) { return tag.overlaps(other); }));
        if (fits && covered == 0) return tag;
        if (fewest < 0 || covered < fewest) {
          best = tag;
          fewest = covered;
        }
      }
    }
    return best;
  }

  // On whole pixels, so that tags have sharp edges and text of one height.
  Rect inside(double left, double top, double width, double height) const {
    const double w = std::min(std::ceil(width), width_), h = std::min(std::ceil(height), height_);
    const double x = std::clamp(std::round(left), 0.0, width_ - w);
    const double y = std::clamp(std::round(top), 0.0, height_ - h);
    return {x, y, x + w, y + h};
  }

  cairo_t* context_;
  double width_, height_;
  Scale scale_;
  TextPainter text_;
  std::vector<Rect> taken_;  // by tags drawn so far
};

void require(cairo_status_t status, const std::filesystem::path& file) {
  if (status != CAIRO_STATUS_SUCCESS)
    throw Error("{}: cannot draw: {}; check the labels' text and the memory", file.string(),
                cairo_status_to_string(status));
}

// Cairo's sink for PNG bytes; nothing may be thrown through it.
cairo_status_t append(void* sink, const unsigned char* bytes, unsigned count) {
  try {
    static_cast<std::string*>(sink)->append(reinterpret_cast<const char*>(bytes), count);
  } catch (const std::exception&) {
    return CAIRO_STATUS_NO_MEMORY;
  }
  return CAIRO_STATUS_SUCCESS;
}

std::string png_of(cairo_surface_t* surface, const std::filesystem::path& file) {
  std::string bytes;
  require(cairo_surface_write_to_png_stream(surface, append, &bytes), file);
  return bytes;
}

std::string jpeg_of(cairo_surface_t* surface) {
  constexpr int quality = 90;
  cairo_surface_flush(surface);
  Image image{cairo_image_surface_get_width(surface), cairo_image_surface_get_height(surface), {}};
  const unsigned char* const data = cairo_image_surface_get_data(surface);
  const auto stride = static_cast<std::size_t>(cairo_image_surface_get_stride(surface));
  const auto width = static_cast<std::size_t>(image.width), height = static_cast<std::size_t>(image.height);
  image.rgb.resize(width * height * 3);
  std::uint8_t* to = image.rgb.data();
  for (std::size_t y = 0; y < height; ++y) {
    const auto* const row = reinterpret_cast<const std::uint32_t*>(data + y * stride);
    for (std::size_t x = 0; x < width; ++x, to += 3) {
      to[0] = static_cast<std::uint8_t>(row[x] >> 16);
      to[1] = static_cast<std::uint8_t>(row[x] >> 8);
      to[2] = static_cast<std::uint8_t>(row[x]);
    }
  }
  std::vector<std::byte> bytes;
  encode_jpeg(image, quality, bytes);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

bool can_draw(const std::string& text) {
  const Surface surface(cairo_image_surface_create(CAIRO_FORMAT_RGB24, 1, 1));
  const Context context(cairo_create(surface.get()));
  return TextPainter(context.get(), 12).can_write(text);
}

std::string extension_of(DrawingFormat format) { return format == DrawingFormat::png ? ".png" : ".jpg"; }

void draw_boxes(const std::filesystem::path& file, const RgbImage& image, std::span<const DrawnBox> boxes,
                DrawingFormat format) {
  check(image, boxes);
  const Surface surface = to_surface(image);
  const Context context(cairo_create(surface.get()));
  Painter painter(context.get(), image);
  for (const DrawnBox& box : boxes) painter.draw_outline(box);
  for (const DrawnBox& box : boxes) painter.draw_tag(box);
  require(cairo_status(context.get()), file);
  const std::string bytes =
      format == DrawingFormat::png ? png_of(surface.get(), file) : jpeg_of(surface.get());
  AtomicFile out(file);
  out.write(bytes);
  out.commit_unsynced();
}

}  // namespace ssd
