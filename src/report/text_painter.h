// Text of any script on a drawing, in the fonts of the system.
#pragma once

#include <memory>
#include <string>

typedef struct _cairo cairo_t;

namespace ssd {

// Letters of Latin script are cairo's. What goes beyond them is laid out by Pango, which shapes Arabic and
// takes each character from a font that has it; Pango is loaded the first time. Without it there are the
// characters of cairo's font that stand side by side.
class TextPainter {
 public:
  // Of bold letters so many pixels high. The context stays the caller's.
  TextPainter(cairo_t* context, double size);
  ~TextPainter();
  TextPainter(const TextPainter&) = delete;
  TextPainter& operator=(const TextPainter&) = delete;

  struct Extent {
    double width, ascent, descent;  // pixels; the ascent is above the baseline
  };

  // Whether the fonts have all of the text's characters. It is UTF-8.
  bool can_write(const std::string& text);
  Extent extent(const std::string& text);
  // From a point of the baseline on, in the context's colour.
  void write(const std::string& text, double x, double y);

 private:
  class Layout;

  // Null where cairo writes the text.
  Layout* layout_for(const std::string& text);

  cairo_t* context_;
  double size_;
  std::unique_ptr<Layout> layout_;  // made when it is needed
};

}  // namespace ssd
