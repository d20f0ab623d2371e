#include "data/loader/augment.h"

#include <gtest/gtest.h>

#include "base/error.h"
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

// A box of one colour on another: wherever the sample has the box, the colour must be.
TEST(Augment, MovesBoxesWithTheirPixels) {
  Image image{400, 300, Pixels(3 * 400 * 300, 20)};
  const PixelRect rect = {100, 60, 220, 240};
  for (int y = rect.top; y < rect.bottom; ++y) {
    for (int x = rect.left; x < rect.right; ++x) image.rgb[static_cast<std::size_t>(3 * (y * 400 + x))] = 220;
  }
  const std::vector<LabeledBox> boxes = {{{100 / 400.0f, 60 / 300.0f, 220 / 400.0f, 240 / 300.0f}, 1}};
  Augmenter augmenter({.colour = false});
  int crops = 0;
  for (std::uint64_t sample = 0; sample < 60; ++sample) {
    const Trained out = trained(augmenter, raw_source(image), boxes, sample);
    ASSERT_EQ(out.kept.size(), 1u);
    const Box box = out.kept[0].box;
    crops += box.right - box.left > 0.35f;
    for (int y = 0; y < image_size; ++y) {
      for (int x = 0; x < image_size; ++x) {
        const float px = (static_cast<float>(x) + 0.5f) / image_size;
        const float py = (static_cast<float>(y) + 0.5f) / image_size;
        const float margin = std::min({px - box.left, box.right - px, py - box.top, box.bottom - py});
        if (std::abs(margin) < 0.02f) continue;  // the filter blurs the border
        ASSERT_EQ(out.image[static_cast<std::size_t>(3 * (y * image_size + x))], margin > 0 ? 220 : 20)
            << "sample " << sample << " at " << x << ", " << y;
      }
    }
  }
  EXPECT_GT(crops, 5);
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

int largest_difference(const Pixels& a, const Pixels& b) {
  int worst = 0;
  for (std::size_t i = 0; i < a.size(); ++i) worst = std::max(worst, std::abs(a[i] - b[i]));
  return worst;
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
