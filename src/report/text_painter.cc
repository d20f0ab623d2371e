#include "report/text_painter.h"

#include <cairo/cairo.h>

#include <algorithm>
#include <cstddef>
#include <span>
#include <string_view>

#include "base/late_library.h"
#include "base/utf8.h"

namespace ssd {
namespace {

// The functions of Pango that are asked, as its headers declare them. It is part of every desktop, but not of
// a server.
struct Pango {
  struct Rectangle {
    int x, y, width, height;  // in 1024ths of a pixel
  };
  using Object = void*;

  Object (*create_layout)(cairo_t*) = nullptr;
  void (*set_text)(Object layout, const char* text, int bytes) = nullptr;
  void (*set_font)(Object layout, Object font) = nullptr;
  int (*unknown_glyphs)(Object layout) = nullptr;
  void (*get_extents)(Object layout, Rectangle* ink, Rectangle* logical) = nullptr;
  int (*baseline)(Object layout) = nullptr;
  void (*show)(cairo_t*, Object layout) = nullptr;
  Object (*make_font)(const char* description) = nullptr;
  void (*set_size)(Object font, double size) = nullptr;
  void (*free_font)(Object font) = nullptr;
  void (*unref)(Object) = nullptr;
  bool is_there = false;
};
constexpr double pango_scale = 1024;

Pango load_pango() {
  Pango pango;
  // Its own libraries, and the functions in them, come with it.
  const LateLibrary library("libpangocairo-1.0.so.0");
  pango.is_there = library.find("pango_cairo_create_layout", pango.create_layout) &&
                   library.find("pango_layout_set_text", pango.set_text) &&
                   library.find("pango_layout_set_font_description", pango.set_font) &&
                   library.find("pango_layout_get_unknown_glyphs_count", pango.unknown_glyphs) &&
                   library.find("pango_layout_get_extents", pango.get_extents) &&
                   library.find("pango_layout_get_baseline", pango.baseline) &&
                   library.find("pango_cairo_show_layout", pango.show) &&
                   library.find("pango_font_description_from_string", pango.make_font) &&
                   library.find("pango_font_description_set_absolute_size", pango.set_size) &&
                   library.find("pango_font_description_free", pango.free_font) &&
                   library.find("g_object_unref", pango.unref);
  return pango;
}

const Pango& pango() {
  static const Pango loaded = load_pango();
  return loaded;
}

// Whether any of the text's characters is `wanted`.
template <typename Wanted>
bool has_character(std::string_view text, Wanted wanted) {
  while (!text.empty()) {
    const Utf8Character character = first_character(text);
    if (wanted(character.number)) return true;
    text.remove_prefix(character.bytes);
  }
  return false;
}

bool is_beyond_latin(const std::string& text) {
  return has_character(text, [](char32_t c) { return c >= 0x250; });
}

// Scripts from Hebrew to Myanmar, Khmer, Mongolian: written from the right, or of letters that change beside
// each other. Characters that join others; symbols of several.
bool needs_shaping(const std::string& text) {
  return has_character(text, [](char32_t c) {
    return (c >= 0x0590 && c < 0x10a0) || (c >= 0x1700 && c < 0x1900) || (c >= 0x200c && c < 0x2010) ||
           (c >= 0xfb1d && c < 0xff00) || (c >= 0x1f1e6 && c < 0x1f200);
  });
}

// Whether cairo's font has all characters.
bool font_has(cairo_t* context, const std::string& text) {
  cairo_glyph_t* glyphs = nullptr;
  int count = 0;
  const cairo_status_t status = cairo_scaled_font_text_to_glyphs(cairo_get_scaled_font(context), 0, 0,
                                                                 text.data(), static_cast<int>(text.size()),
                                                                 &glyphs, &count, nullptr, nullptr, nullptr);
  const std::unique_ptr<cairo_glyph_t, decltype(&cairo_glyph_free)> owner(glyphs, &cairo_glyph_free);
  if (status != CAIRO_STATUS_SUCCESS) return false;
  const std::span<const cairo_glyph_t> all(glyphs, static_cast<std::size_t>(std::max(count, 0)));
  return std::ranges::none_of(all, [](const cairo_glyph_t& glyph) { return glyph.index == 0; });
}

}  // namespace

// Pango's layout of one line.
class TextPainter::Layout {
 public:
  Layout(cairo_t* context, double size)
      : layout_(pango().create_layout(context), pango().unref),
        font_(pango().make_font("sans-serif bold"), pango().free_font) {
    pango().set_size(font_.get(), size * pango_scale);
    pango().set_font(layout_.get(), font_.get());
  }

  Pango::Object of(const std::string& text) {
    pango().set_text(layout_.get(), text.data(), static_cast<int>(text.size()));
    return layout_.get();
  }

 private:
  std::unique_ptr<void, void (*)(Pango::Object)> layout_, font_;
};

TextPainter::TextPainter(cairo_t* context, double size) : context_(context), size_(size) {
  cairo_select_font_face(context_, "sans-serif", CAIRO_FONT_SLANT_NORMAL, CAIRO_FONT_WEIGHT_BOLD);
  cairo_set_font_size(context_, size);
}

TextPainter::~TextPainter() = default;

TextPainter::Layout* TextPainter::layout_for(const std::string& text) {
  if (!is_beyond_latin(text) || !pango().is_there) return nullptr;
  if (!layout_) layout_ = std::make_unique<Layout>(context_, size_);
  return layout_.get();
}

bool TextPainter::can_write(const std::string& text) {
  if (Layout* const layout = layout_for(text)) return pango().unknown_glyphs(layout->of(text)) == 0;
  return !is_beyond_latin(text) || (!needs_shaping(text) && font_has(context_, text));
}

TextPainter::Extent TextPainter::extent(const std::string& text) {
  cairo_font_extents_t font;
  cairo_font_extents(context_, &font);
  if (Layout* const layout = layout_for(text)) {
    Pango::Rectangle logical{};
    const Pango::Object line = layout->of(text);
    pango().get_extents(line, nullptr, &logical);
    const double ascent = pango().baseline(line) / pango_scale;
    return {logical.width / pango_scale, std::max(font.ascent, ascent),
            std::max(font.descent, logical.height / pango_scale - ascent)};
  }
  cairo_text_extents_t cairo;
  cairo_text_extents(context_, text.c_str(), &cairo);
  return {cairo.x_advance, font.ascent, font.descent};
}

void TextPainter::write(const std::string& text, double x, double y) {
  if (Layout* const layout = layout_for(text)) {
    const Pango::Object line = layout->of(text);
    cairo_move_to(context_, x, y - pango().baseline(line) / pango_scale);
    pango().show(context_, line);
    return;
  }
  cairo_move_to(context_, x, y);
  cairo_show_text(context_, text.c_str());
}

}  // namespace ssd
