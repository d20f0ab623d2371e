#include "report/text_painter.h"

#include <cairo/cairo.h>
#include <gtest/gtest.h>

#include <memory>

#include "base/late_library.h"

namespace ssd {
namespace {

class Text : public testing::Test {
 protected:
  const std::unique_ptr<cairo_surface_t, void (*)(cairo_surface_t*)> surface_{
      cairo_image_surface_create(CAIRO_FORMAT_RGB24, 100, 100), cairo_surface_destroy};
  const std::unique_ptr<cairo_t, void (*)(cairo_t*)> context_{cairo_create(surface_.get()), cairo_destroy};
  TextPainter text_{context_.get(), 40};
};

TEST_F(Text, LatinIsAlwaysThere) {
  EXPECT_TRUE(text_.can_write("Thrombozyt \xc3\xbc 0.93"));
  const TextPainter::Extent one = text_.extent("m"), two = text_.extent("mm");
  EXPECT_NEAR(two.width, 2 * one.width, 1);
  EXPECT_EQ(two.ascent, one.ascent);
  EXPECT_FALSE(text_.can_write("\xf1\x80\x84\xa3"));
}

// Letters of Arabic are narrower beside each other than alone.
TEST_F(Text, ArabicIsShaped) {
  if (!LateLibrary("libpangocairo-1.0.so.0").is_loaded()) GTEST_SKIP() << "Pango is not installed";
  const std::string beh = "\xd8\xa8";
  if (!text_.can_write(beh)) GTEST_SKIP() << "no font has Arabic";
  EXPECT_LT(text_.extent(beh + beh).width, 1.8 * text_.extent(beh).width);
}

}  // namespace
}  // namespace ssd
