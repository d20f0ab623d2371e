#include "data/loader/augment.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "data/loader/zoom_out.h"
#include "image/colour.h"
#include "image/format.h"
#include "testing/test_jpeg.h"
#include "testing/test_png.h"

namespace ssd {
namespace {

using Pixels = std::vector<std::uint8_t>;

ImageSource jpeg_source(std::span<const std::byte> bytes, int width, int height) {
  return {ImageSource::Encoding::file, bytes, width, height};
}

ImageSource raw_source(const Image& image) {
  return {ImageSource::Encoding::raw, std::as_bytes(std::span(image.rgb)), image.width, image.height};
}

Pixels resized(const Image& image) {
  Pixels out(Augmenter::image_bytes);
  resize(image.rgb,
         {{image.width, 0, static_cast<double>(image.width), image_size},
          {image.height, 0, static_cast<double>(image.height), image_size}},
         out);
  return out;
}

Pixels evaluated(Augmenter& augmenter, const ImageSource& source) {
  Pixels out(Augmenter::image_bytes);
  augmenter.evaluate(source, out);
  return out;
}

struct Trained {
  Pixels image = Pixels(Augmenter::image_bytes);
  std::vector<LabeledBox> kept;
};

Trained trained(Augmenter& augmenter, const ImageSource& source, std::span<const LabeledBox> boxes,
                std::uint64_t sample) {
  Trained out;
  Random random(1, 2, sample);
  augmenter.train(source, boxes, random, out.image, out.kept);
  return out;
}

Pixels mirrored(const Pixels& image) {
  Pixels out(image.size());
  for (std::size_t pixel = 0; pixel < image.size() / 3; ++pixel) {
    const std::size_t x = pixel % image_size;
    std::copy_n(&image[3 * pixel], 3, &out[3 * (pixel - x + image_size - 1 - x)]);
  }
  return out;
}

int largest_difference(const Pixels& a, const Pixels& b) {
  int worst = 0;
  for (std::size_t i = 0; i < a.size(); ++i) worst = std::max(worst, std::abs(a[i] - b[i]));
  return worst;
}

const std::vector<LabeledBox> two_boxes = {{{0.1f, 0.2f, 0.6f, 0.9f}, 3}, {{0.5f, 0.1f, 0.9f, 0.5f}, 7}};

TEST(Augment, EvaluatesTheWholeImage) {
  const auto bytes = encode_jpeg(test_image(410, 333));
  const Image image = decode_image(bytes);
  Augmenter augmenter;
  EXPECT_EQ(evaluated(augmenter, jpeg_source(bytes, 410, 333)), resized(image));
  EXPECT_EQ(evaluated(augmenter, raw_source(image)), resized(image));
}

TEST(Augment, TrainsOnTheSameSampleFromJpegAndFromPixels) {
  const auto bytes = encode_jpeg(test_image(410, 333));
  const Image image = decode_image(bytes);
  Augmenter one, two;
  for (std::uint64_t sample = 0; sample < 30; ++sample) {
    const Trained a = trained(one, jpeg_source(bytes, 410, 333), two_boxes, sample);
    const Trained b = trained(two, raw_source(image), two_boxes, sample);
    EXPECT_EQ(a.image, b.image);
    ASSERT_EQ(a.kept.size(), b.kept.size());
    for (std::size_t i = 0; i < a.kept.size(); ++i) EXPECT_EQ(a.kept[i].box, b.kept[i].box);
  }
}

// A box of one colour on another.
struct OneBox {
  static constexpr int width = 400, height = 300;
  Image image{width, height, Pixels(3 * width * height, 20)};
  std::vector<LabeledBox> boxes = {{{100.0f / width, 60.0f / height, 220.0f / width, 240.0f / height}, 1}};

  OneBox() {
    for (int y = 60; y < 240; ++y)
      for (int x = 100; x < 220; ++x)
        std::fill_n(&image.rgb[static_cast<std::size_t>(3 * (y * width + x))], 3, 220);
  }
};

// How far inside the box a pixel is, negative outside.
float margin(const Box& box, int x, int y) {
  const float px = (static_cast<float>(x) + 0.5f) / image_size,
              py = (static_cast<float>(y) + 0.5f) / image_size;
  return std::min({px - box.left, box.right - px, py - box.top, box.bottom - py});
}

// Wherever the sample has the box, the colour must be; elsewhere that of the image or of the canvas.
void expect_colour_at_box(const Trained& out, std::uint64_t sample) {
  ASSERT_EQ(out.kept.size(), 1u);
  for (int y = 0; y < image_size; ++y) {
    for (int x = 0; x < image_size; ++x) {
      const float inside = margin(out.kept[0].box, x, y);
      if (std::abs(inside) < 0.02f) continue;  // the filter blurs the border
      const int red = out.image[static_cast<std::size_t>(3 * (y * image_size + x))];
      const bool right = inside > 0 ? red == 220 : red == 20 || red == zoom_out_fill[0];
      ASSERT_TRUE(right) << "sample " << sample << " at " << x << ", " << y << ": " << red;
    }
  }
}

TEST(Augment, MovesBoxesWithTheirPixels) {
  const OneBox scene;
  Augmenter augmenter({.colour = false});
  int crops = 0;
  for (std::uint64_t sample = 0; sample < 60; ++sample) {
    const Trained out = trained(augmenter, raw_source(scene.image), scene.boxes, sample);
    expect_colour_at_box(out, sample);
    crops += out.kept[0].box.right - out.kept[0].box.left > 0.35f;
  }
  EXPECT_GT(crops, 5);
}

// Share of pixels of the canvas' colour.
double filled(const Pixels& image) {
  double count = 0;
  for (std::size_t at = 0; at < image.size(); at += 3)
    count += std::equal(zoom_out_fill.begin(), zoom_out_fill.end(), &image[at]);
  return 3 * count / static_cast<double>(image.size());
}

TEST(Augment, MovesBoxesWithTheirPixelsOnTheCanvasToo) {
  const OneBox scene;
  const auto png = encode_png(scene.image);
  for (const auto& options : {AugmentOptions{.crop = false, .colour = false, .zoom_out = true},
                              AugmentOptions{.colour = false, .zoom_out = true, .vertical_flip = true},
                              AugmentOptions{.colour = false, .zoom_out = true, .crop_attempts = 50}}) {
    Augmenter augmenter(options);
    int canvases = 0;
    for (std::uint64_t sample = 0; sample < 60; ++sample) {
      const ImageSource source =
          sample % 2 ? raw_source(scene.image)
                     : ImageSource{ImageSource::Encoding::file, png, OneBox::width, OneBox::height};
      const Trained out = trained(augmenter, source, scene.boxes, sample);
      expect_colour_at_box(out, sample);
      canvases += filled(out.image) > 0.2;
    }
    EXPECT_GT(canvases, 8) << augment_text(options);
  }
}

// The image covers 1/side^2 of the canvas, and the canvas keeps its colour.
TEST(Augment, ZoomingOutFillsTheCanvasAfterTheColours) {
  const OneBox scene;
  Augmenter augmenter({.crop = false, .flip = false, .zoom_out = true});
  for (std::uint64_t sample = 0; sample < 40; ++sample) {
    const Trained out = trained(augmenter, raw_source(scene.image), scene.boxes, sample);
    const Box box = out.kept.at(0).box;
    const double side = 0.3 / static_cast<double>(box.right - box.left);
    EXPECT_NEAR(filled(out.image), 1 - 1 / (side * side), 0.01) << side;
  }
}

// Three ways to turn the axes: as the image is stored, and mirrored within a tile.
TEST(Augment, OrientedImagesLieOnTheCanvasAsTheirPixelsDo) {
  for (const int orientation : {3, 5, 6, 8}) {
    const auto bytes = encode_jpeg(test_image(340, 220), {.orientation = orientation});
    const Image seen = oriented(decode_image(bytes), orientation_of_tag(orientation));
    const AugmentOptions options{.colour = false, .zoom_out = true, .vertical_flip = true};
    Augmenter file(options), raw(options);
    for (std::uint64_t sample = 0; sample < 12; ++sample) {
      const Trained a = trained(file, jpeg_source(bytes, 0, 0), two_boxes, sample);
      const Trained b = trained(raw, raw_source(seen), two_boxes, sample);
      EXPECT_LE(largest_difference(a.image, b.image), orientation == 3 ? 0 : 1) << orientation;
    }
  }
}

TEST(Augment, FlipsVerticallyHalfOfTheSamples) {
  const Image image = test_image(350, 320);
  const Pixels plain = resized(image);
  Pixels flipped(plain.size());
  constexpr std::size_t row = 3 * image_size;
  for (std::size_t y = 0; y < image_size; ++y)
    std::copy_n(&plain[y * row], row, &flipped[(image_size - 1 - y) * row]);
  Augmenter augmenter({.crop = false, .flip = false, .colour = false, .vertical_flip = true});
  int flips = 0;
  for (std::uint64_t sample = 0; sample < 200; ++sample) {
    const Trained out = trained(augmenter, raw_source(image), two_boxes, sample);
    const bool flip = out.image == flipped;
    EXPECT_TRUE(flip || out.image == plain);
    EXPECT_FLOAT_EQ(out.kept.at(0).box.top, flip ? 0.1f : 0.2f);
    flips += flip;
  }
  EXPECT_NEAR(flips, 100, 28);
}

TEST(Augment, FlipsHalfOfTheSamples) {
  const Image image = test_image(350, 320);
  const Pixels plain = resized(image);
  const Pixels flipped = mirrored(plain);
  Augmenter augmenter({.crop = false, .colour = false});
  int flips = 0;
  for (std::uint64_t sample = 0; sample < 100; ++sample) {
    const Trained out = trained(augmenter, raw_source(image), two_boxes, sample);
    const bool flip = out.image == flipped;
    EXPECT_TRUE(flip || out.image == plain);
    EXPECT_FLOAT_EQ(out.kept.at(0).box.left, flip ? 0.4f : 0.1f);
    flips += flip;
  }
  EXPECT_GT(flips, 30);
  EXPECT_LT(flips, 70);
}

// Within 1 where the axes change places: rows are then filtered after columns, and rounded in between.
TEST(Augment, OrientsImagesAsTheAnnotationSays) {
  for (int orientation = 1; orientation <= 8; ++orientation) {
    const auto bytes = encode_jpeg(test_image(340, 220), {.orientation = orientation});
    const Image stored = decode_image(bytes);
    const Image seen = oriented(stored, orientation_of_tag(orientation));
    Augmenter augmenter({.colour = false});
    EXPECT_LE(largest_difference(evaluated(augmenter, jpeg_source(bytes, 0, 0)), resized(seen)), 1)
        << orientation;
    EXPECT_EQ(evaluated(augmenter, jpeg_source(bytes, 340, 220)), resized(stored)) << orientation;
    if (orientation < 5) continue;
    EXPECT_LE(largest_difference(evaluated(augmenter, jpeg_source(bytes, 220, 340)), resized(seen)), 1)
        << orientation;
    Augmenter raw({.colour = false});
    for (std::uint64_t sample = 0; sample < 10; ++sample) {
      const Trained a = trained(augmenter, jpeg_source(bytes, 220, 340), two_boxes, sample);
      const Trained b = trained(raw, raw_source(seen), two_boxes, sample);
      EXPECT_LE(largest_difference(a.image, b.image), 1) << orientation;
    }
  }
}

TEST(Augment, RefusesSizesThatFitNeitherWay) {
  const ImageInfo upright{640, 480, 3, 1};
  EXPECT_EQ(orientation_for_annotation(upright, 640, 480), Orientation{});
  EXPECT_EQ(orientation_for_annotation(upright, 320, 240), Orientation{});
  EXPECT_THROW(orientation_for_annotation(upright, 480, 640), Error);
  EXPECT_EQ(orientation_for_annotation({640, 480, 3, 6}, 240, 320), orientation_of_tag(6));
  EXPECT_EQ(orientation_for_annotation({640, 480, 3, 3}, 640, 480), Orientation{});
  EXPECT_EQ(orientation_for_annotation({640, 480, 3, 3}, 0, 0), orientation_of_tag(3));
}

TEST(Augment, ScalesBigImagesWhileDecodingWithoutHarm) {
  const auto bytes = encode_jpeg(test_image(1300, 1240));
  const Pixels whole = resized(decode_image(bytes));
  Augmenter augmenter;
  const Pixels out = evaluated(augmenter, jpeg_source(bytes, 1300, 1240));
  double sum = 0;
  for (std::size_t i = 0; i < out.size(); ++i) sum += std::abs(out[i] - whole[i]);
  EXPECT_LT(sum / static_cast<double>(out.size()), 1.0);
}

TEST(Augment, GoesOnAfterABadImage) {
  const auto bytes = encode_jpeg(test_image(410, 333));
  Augmenter augmenter;
  const auto before = trained(augmenter, jpeg_source(bytes, 410, 333), two_boxes, 5);
  const std::span cut(bytes.data(), bytes.size() / 2);
  Pixels out(Augmenter::image_bytes);
  EXPECT_THROW(augmenter.evaluate(jpeg_source(cut, 410, 333), out), Error);
  const ImageSource short_raw{ImageSource::Encoding::raw, cut, 410, 333};
  EXPECT_THROW(augmenter.evaluate(short_raw, out), Error);
  EXPECT_EQ(trained(augmenter, jpeg_source(bytes, 410, 333), two_boxes, 5).image, before.image);
}

TEST(Augment, CountsTheTimeOfEachStage) {
  const auto bytes = encode_jpeg(test_image(410, 333));
  Augmenter augmenter;
  trained(augmenter, jpeg_source(bytes, 410, 333), two_boxes, 5);
  EXPECT_GT(augmenter.times().decode, 0);
  EXPECT_GT(augmenter.times().resize, 0);
  EXPECT_GT(augmenter.times().colour, 0);
}

// A JPEG of this size is scaled while it is decoded; PNG cannot be.
TEST(Augment, LargePngFilesGiveWhatTheirPixelsGive) {
  const Image image = test_image(1300, 1250);
  const auto png = encode_png(image);
  Augmenter augmenter;
  const ImageSource file{ImageSource::Encoding::file, png, 1300, 1250};
  const ImageSource raw{ImageSource::Encoding::raw, std::as_bytes(std::span(image.rgb)), 1300, 1250};
  EXPECT_EQ(evaluated(augmenter, file), evaluated(augmenter, raw));
  const Trained from_file = trained(augmenter, file, two_boxes, 3),
                from_raw = trained(augmenter, raw, two_boxes, 3);
  EXPECT_EQ(from_file.image, from_raw.image);
}

}  // namespace
}  // namespace ssd
