#include "data/loader/view.h"

#include <gtest/gtest.h>

namespace ssd {
namespace {

TEST(View, ACropInsideFillsTheInput) {
  const View view = view_of({0.26f, 0.1f, 0.74f, 1}, 10, 20);
  EXPECT_EQ(view.rect, (PixelRect{3, 2, 7, 20}));
  EXPECT_EQ(view.tile, whole_tile);
  EXPECT_EQ(view.frame, (Box{0.3f, 0.1f, 0.7f, 1}));
}

TEST(View, ATinyCropHasAPixel) {
  EXPECT_EQ(view_of({0.99f, 0, 0.995f, 0.001f}, 10, 10).rect, (PixelRect{9, 0, 10, 1}));
}

// A canvas of twice the image's side: the image is 150 inputs of 300.
TEST(View, ACanvasPutsTheImageIntoATile) {
  const View view = view_of({-0.5f, -1, 1.5f, 1}, 100, 200);
  EXPECT_EQ(view.rect, (PixelRect{0, 0, 100, 200}));
  EXPECT_EQ(view.tile, (PixelRect{75, 150, 225, 300}));
  EXPECT_EQ(view.frame, (Box{-0.5f, -1, 1.5f, 1}));
}

// 100 of 301 pixels: the tile is rounded, and the frame is what makes its edges those of the image.
TEST(View, TheFrameIsExactForTheTile) {
  const View view = view_of({-1, -1.01f, 2, 2}, 100, 100);
  const auto input = [](float at, float low, float high) { return (at - low) / (high - low) * image_size; };
  EXPECT_EQ(view.tile, (PixelRect{100, 101, 200, 200}));
  EXPECT_NEAR(input(0, view.frame.top, view.frame.bottom), 101, 1e-3);
  EXPECT_NEAR(input(1, view.frame.top, view.frame.bottom), 200, 1e-3);
}

TEST(View, APartOfTheImageOnTheCanvas) {
  const View view = view_of({0.5f, 0.25f, 1.5f, 0.75f}, 40, 40);
  EXPECT_EQ(view.rect, (PixelRect{20, 10, 40, 30}));
  EXPECT_EQ(view.tile, (PixelRect{0, 0, 150, 300}));
}

TEST(View, AMirroredViewIsOnTheOtherSide) {
  View view = view_of({-0.5f, -1, 1.5f, 1}, 100, 200);
  mirror(view, true, false);
  EXPECT_EQ(view.tile, (PixelRect{75, 150, 225, 300}));
  EXPECT_TRUE(view.flip_x);
  mirror(view, false, true);
  EXPECT_EQ(view.tile, (PixelRect{75, 0, 225, 150}));
  EXPECT_TRUE(view.flip_y);
}

TEST(View, BoxesAreMirroredWithIt) {
  std::vector<LabeledBox> boxes = {{{0.125f, 0.25f, 0.5f, 0.875f}, 1}};
  mirror(boxes, true, true);
  EXPECT_EQ(boxes[0].box, (Box{0.5f, 0.125f, 0.875f, 0.75f}));
}

}  // namespace
}  // namespace ssd
