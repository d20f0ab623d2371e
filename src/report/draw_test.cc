#include "report/draw.h"

#include <cairo/cairo.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>
#include <memory>
#include <set>
#include <vector>

#include "base/error.h"
#include "testing/temporary_folder.h"

// Fontconfig keeps its caches until the process ends, which the leak sanitizer counts as a leak.
extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() { return "leak:libfontconfig"; }

namespace ssd {
namespace {

using Pixel = std::array<int, 3>;  // red, green, blue

// A PNG read back.
class ReadPng {
 public:
  explicit ReadPng(const std::filesystem::path& path)
      : surface_(cairo_image_surface_create_from_png(path.c_str()), cairo_surface_destroy) {
    if (cairo_surface_status(surface_.get()) != CAIRO_STATUS_SUCCESS)
      throw std::runtime_error("cannot read " + path.string());
  }
  int width() const { return cairo_image_surface_get_width(surface_.get()); }
  int height() const { return cairo_image_surface_get_height(surface_.get()); }
  Pixel at(int x, int y) const {
    const unsigned char* const pixel = cairo_image_surface_get_data(surface_.get()) +
                                       y * cairo_image_surface_get_stride(surface_.get()) + x * 4;
    return {pixel[2], pixel[1], pixel[0]};
  }

 private:
  std::unique_ptr<cairo_surface_t, void (*)(cairo_surface_t*)> surface_;
};

// Every pixel tells its place: (x mod 256, y mod 256, 90).
std::vector<std::uint8_t> synthetic_image(int width, int height) {
  std::vector<std::uint8_t> pixels;
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x)
      for (const int value : {x % 256, y % 256, 90}) pixels.push_back(static_cast<std::uint8_t>(value));
  return pixels;
}

class Draw : public testing::Test {
 protected:
  ReadPng drawn(int width, int height, const std::vector<DrawnBox>& boxes) {
    const std::vector<std::uint8_t> pixels = synthetic_image(width, height);
    draw_boxes(folder_.path() / "out.png", {width, height, pixels}, boxes, DrawingFormat::png);
    return ReadPng(folder_.path() / "out.png");
  }
  static Pixel untouched(int x, int y) { return {x % 256, y % 256, 90}; }

  TemporaryFolder folder_;
};

TEST_F(Draw, KeepsEveryPixelWithoutBoxes) {
  const ReadPng png = drawn(301, 7, {});
  ASSERT_EQ(png.width(), 301);
  ASSERT_EQ(png.height(), 7);
  for (int y = 0; y < 7; ++y)
    for (int x = 0; x < 301; ++x) ASSERT_EQ(png.at(x, y), untouched(x, y)) << x << ", " << y;
}

TEST_F(Draw, OutlinesTheBoxAndNothingElse) {
  // 1000 pixels: the outline is 4 wide, with 2 more of shade on either side.
  const ReadPng png = drawn(1000, 1000, {{.left = 200, .top = 300, .right = 600, .bottom = 500, .text = ""}});
  const Pixel colour = png.at(400, 300);
  EXPECT_NE(colour, untouched(400, 300));
  for (const auto& [x, y] : {std::pair{200, 400}, {600, 400}, {400, 500}, {200, 300}, {600, 500}})
    EXPECT_EQ(png.at(x, y), colour) << x << ", " << y;
  for (const auto& [x, y] : {std::pair{400, 400}, {194, 400}, {606, 400}, {400, 294}, {400, 506}, {206, 306}})
    EXPECT_EQ(png.at(x, y), untouched(x, y)) << x << ", " << y;
}

TEST_F(Draw, ColoursDifferByClassAndRepeat) {
  std::set<Pixel> colours;
  std::vector<Pixel> by_class;
  for (int index = 0; index < 2 * drawing_colours; ++index) {
    const ReadPng png = drawn(100, 100, {{10, 10, 90, 90, "", index}});
    by_class.push_back(png.at(50, 10));
    colours.insert(by_class.back());
    EXPECT_EQ(by_class.back(), by_class[static_cast<std::size_t>(index % drawing_colours)]);
  }
  EXPECT_EQ(colours.size(), static_cast<std::size_t>(drawing_colours));
}

// U+40123 is no character: its plane of Unicode is empty.
TEST_F(Draw, TextThatNoFontHasIsReplaced) {
  EXPECT_TRUE(can_draw("person 0.93"));
  EXPECT_FALSE(can_draw("\xf1\x80\x84\xa3"));
  const DrawnBox box{.left = 20, .top = 40, .right = 180, .bottom = 90, .text = "class 3"};
  DrawnBox unknown = box;
  unknown.text = "\xf1\x80\x84\xa3", unknown.plain = "class 3";
  const ReadPng expected = drawn(200, 100, {box}), png = drawn(200, 100, {unknown});
  for (int y = 0; y < 100; ++y)
    for (int x = 0; x < 200; ++x) ASSERT_EQ(png.at(x, y), expected.at(x, y)) << x << ", " << y;
}

// Pixels of exactly the colour of the outline, beyond what an outline alone has.
int tag_pixels(const ReadPng& png, const Pixel& colour) {
  int count = 0;
  for (int y = 0; y < png.height(); ++y)
    for (int x = 0; x < png.width(); ++x) count += png.at(x, y) == colour;
  return count;
}

TEST_F(Draw, TagsHaveTextAndStayInsideTheImage) {
  for (const auto& [left, top] : {std::pair{0.f, 0.f},
                                  {350.f, 0.f},
                                  {0.f, 350.f},
                                  {350.f, 350.f},
                                  {200.f, 200.f},
                                  {-80.f, -80.f},
                                  {380.f, 380.f}}) {
    DrawnBox box = {left, top, left + 50, top + 50, "", 1};
    const ReadPng plain = drawn(400, 400, {box});
    const Pixel colour = {255, 212, 0};
    const int outline = tag_pixels(plain, colour);
    box.text = "platelets 0.87";
    const ReadPng png = drawn(400, 400, {box});
    // The tag's ground: 14 letters, each about 6 x 12 pixels, less what the letters take.
    EXPECT_GT(tag_pixels(png, colour) - outline, 500) << left << ", " << top;
    EXPECT_GT(tag_pixels(png, Pixel{0, 0, 0}), 40) << left << ", " << top;  // the letters
  }
}

TEST_F(Draw, TagsOfBoxesAtOnePlaceDoNotHideEachOther) {
  const std::vector<DrawnBox> one = {{100, 100, 300, 300, "first 0.9", 1}};
  std::vector<DrawnBox> two = one;
  two.push_back({100, 100, 300, 300, "second 0.8", 2});
  const Pixel first = {255, 212, 0}, second = {255, 45, 85};
  const ReadPng both = drawn(400, 400, two);
  // The outline of the first lies under that of the second; its tag does not.
  EXPECT_GT(tag_pixels(both, first), 300);
  EXPECT_GT(tag_pixels(both, second), 300);
}

TEST_F(Draw, TakesAnyImageSizeAndText) {
  for (const auto& [width, height] : {std::pair{1, 1}, {3, 200}, {200, 3}, {30, 30}}) {
    const ReadPng png = drawn(width, height, {{0, 0, 20, 20, "a label wider than the image 1.00", 3}});
    EXPECT_EQ(png.width(), width);
    EXPECT_EQ(png.height(), height);
  }
  EXPECT_THROW(drawn(50, 50, {{0, 0, 20, 20, "\xff\xfe", 0}}), Error);
}

TEST_F(Draw, RefusesImagesAndBoxesThatAreNone) {
  const std::vector<std::uint8_t> pixels(12);
  const auto path = folder_.path() / "out.png";
  EXPECT_THROW(draw_boxes(path, {3, 2, pixels}, {}, DrawingFormat::png), Error);
  EXPECT_THROW(draw_boxes(path, {0, 2, {}}, {}, DrawingFormat::png), Error);
  EXPECT_THROW(draw_boxes(path, {-2, -2, pixels}, {}, DrawingFormat::png), Error);
  const DrawnBox box = {0, 0, std::numeric_limits<float>::quiet_NaN(), 1, "person", 0};
  EXPECT_THROW(draw_boxes(path, {2, 2, pixels}, std::vector{box}, DrawingFormat::png), Error);
  EXPECT_FALSE(std::filesystem::exists(path));
}

}  // namespace
}  // namespace ssd
