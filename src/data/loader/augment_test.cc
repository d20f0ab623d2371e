#include "data/loader/augment.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "image/colour.h"
#include "testing/test_jpeg.h"

namespace ssd {
namespace {

using Image = std::vector<std::uint8_t>;

PictureSource jpeg_source(std::span<const std::byte> bytes, int width, int height) {
  return {PictureSource::Encoding::jpeg, bytes, width, height};
}

PictureSource raw_source(const Picture& picture) {
  return {PictureSource::Encoding::raw, std::as_bytes(std::span(picture.rgb)), picture.width, picture.height};
}

Image resized(const Picture& picture) {
  Image out(Augmenter::kBytes);
  resize(picture.rgb,
         {{picture.width, 0, static_cast<double>(picture.width), image_size},
          {picture.height, 0, static_cast<double>(picture.height), image_size}},
         out);
  return out;
}

Image evaluated(Augmenter& augmenter, const PictureSource& source) {
  Image out(Augmenter::kBytes);
  augmenter.evaluate(source, out);
  return out;
}

struct Trained {
  Image image = Image(Augmenter::kBytes);
  std::vector<LabeledBox> kept;
};

Trained trained(Augmenter& augmenter, const PictureSource& source, std::span<const LabeledBox> boxes,
                std::uint64_t sample) {
  Trained out;
  Random random(1, 2, sample);
  augmenter.train(source, boxes, random, out.image, out.kept);
  return out;
}

Image mirrored(const Image& image) {
  Image out(image.size());
  for (std::size_t pixel = 0; pixel < image.size() / 3; ++pixel) {
    const std::size_t x = pixel % image_size;
    std::copy_n(&image[3 * pixel], 3, &out[3 * (pixel - x + image_size - 1 - x)]);
  }
  return out;
}

const std::vector<LabeledBox> kBoxes = {{{0.1f, 0.2f, 0.6f, 0.9f}, 3}, {{0.5f, 0.1f, 0.9f, 0.5f}, 7}};

TEST(Augment, EvaluatesTheWholePicture) {
  const auto bytes = encode_jpeg(test_picture(410, 333));
  const Picture picture = decode_jpeg(bytes);
  Augmenter augmenter;
  EXPECT_EQ(evaluated(augmenter, jpeg_source(bytes, 410, 333)), resized(picture));
  EXPECT_EQ(evaluated(augmenter, raw_source(picture)), resized(picture));
}

TEST(Augment, TrainsOnTheSameSampleFromJpegAndFromPixels) {
  const auto bytes = encode_jpeg(test_picture(410, 333));
  const Picture picture = decode_jpeg(bytes);
  Augmenter one, two;
  for (std::uint64_t sample = 0; sample < 30; ++sample) {
    const Trained a = trained(one, jpeg_source(bytes, 410, 333), kBoxes, sample);
    const Trained b = trained(two, raw_source(picture), kBoxes, sample);
    EXPECT_EQ(a.image, b.image);
    ASSERT_EQ(a.kept.size(), b.kept.size());
    for (std::size_t i = 0; i < a.kept.size(); ++i) EXPECT_EQ(a.kept[i].box, b.kept[i].box);
  }
}

// A box of one colour on another: wherever the sample has the box, the colour must be.
TEST(Augment, MovesBoxesWithTheirPixels) {
  Picture picture{400, 300, Image(3 * 400 * 300, 20)};
  const PixelRect rect = {100, 60, 220, 240};
  for (int y = rect.top; y < rect.bottom; ++y) {
    for (int x = rect.left; x < rect.right; ++x)
      picture.rgb[static_cast<std::size_t>(3 * (y * 400 + x))] = 220;
  }
  const std::vector<LabeledBox> boxes = {{{100 / 400.0f, 60 / 300.0f, 220 / 400.0f, 240 / 300.0f}, 1}};
  Augmenter augmenter({.colour = false});
  int crops = 0;
  for (std::uint64_t sample = 0; sample < 60; ++sample) {
    const Trained out = trained(augmenter, raw_source(picture), boxes, sample);
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
  const Picture picture = test_picture(350, 320);
  const Image plain = resized(picture);
  const Image flipped = mirrored(plain);
  Augmenter augmenter({.crop = false, .colour = false});
  int flips = 0;
  for (std::uint64_t sample = 0; sample < 100; ++sample) {
    const Trained out = trained(augmenter, raw_source(picture), kBoxes, sample);
    const bool flip = out.image == flipped;
    EXPECT_TRUE(flip || out.image == plain);
    EXPECT_FLOAT_EQ(out.kept.at(0).box.left, flip ? 0.4f : 0.1f);
    flips += flip;
  }
  EXPECT_GT(flips, 30);
  EXPECT_LT(flips, 70);
}

int largest_difference(const Image& a, const Image& b) {
  int worst = 0;
  for (std::size_t i = 0; i < a.size(); ++i) worst = std::max(worst, std::abs(a[i] - b[i]));
  return worst;
}

// Within 1 where the axes change places: rows are then filtered after columns, and rounded in between.
TEST(Augment, TurnsPicturesWhereTheAnnotationSaysSo) {
  for (int orientation = 1; orientation <= 8; ++orientation) {
    const auto bytes = encode_jpeg(test_picture(340, 220), {.orientation = orientation});
    const Picture stored = decode_jpeg(bytes);
    const Picture seen = turned(stored, turn_of_orientation(orientation));
    Augmenter augmenter({.colour = false});
    EXPECT_LE(largest_difference(evaluated(augmenter, jpeg_source(bytes, 0, 0)), resized(seen)), 1)
        << orientation;
    EXPECT_EQ(evaluated(augmenter, jpeg_source(bytes, 340, 220)), resized(stored)) << orientation;
    if (orientation < 5) continue;
    EXPECT_LE(largest_difference(evaluated(augmenter, jpeg_source(bytes, 220, 340)), resized(seen)), 1)
        << orientation;
    Augmenter raw({.colour = false});
    for (std::uint64_t sample = 0; sample < 10; ++sample) {
      const Trained a = trained(augmenter, jpeg_source(bytes, 220, 340), kBoxes, sample);
      const Trained b = trained(raw, raw_source(seen), kBoxes, sample);
      EXPECT_LE(largest_difference(a.image, b.image), 1) << orientation;
    }
  }
}

TEST(Augment, RefusesSizesThatFitNeitherWay) {
  const JpegInfo upright{640, 480, 3, 1};
  EXPECT_EQ(turn_for_annotation(upright, 640, 480), Turn{});
  EXPECT_EQ(turn_for_annotation(upright, 320, 240), Turn{});
  EXPECT_THROW(turn_for_annotation(upright, 480, 640), Error);
  EXPECT_EQ(turn_for_annotation({640, 480, 3, 6}, 240, 320), turn_of_orientation(6));
  EXPECT_EQ(turn_for_annotation({640, 480, 3, 3}, 640, 480), Turn{});
  EXPECT_EQ(turn_for_annotation({640, 480, 3, 3}, 0, 0), turn_of_orientation(3));
}

TEST(Augment, ScalesBigPicturesWhileDecodingWithoutHarm) {
  const auto bytes = encode_jpeg(test_picture(1300, 1240));
  const Image whole = resized(decode_jpeg(bytes));
  Augmenter augmenter;
  const Image out = evaluated(augmenter, jpeg_source(bytes, 1300, 1240));
  double sum = 0;
  for (std::size_t i = 0; i < out.size(); ++i) sum += std::abs(out[i] - whole[i]);
  EXPECT_LT(sum / static_cast<double>(out.size()), 1.0);
}

TEST(Augment, GoesOnAfterABadPicture) {
  const auto bytes = encode_jpeg(test_picture(410, 333));
  Augmenter augmenter;
  const auto before = trained(augmenter, jpeg_source(bytes, 410, 333), kBoxes, 5);
  const std::span cut(bytes.data(), bytes.size() / 2);
  Image out(Augmenter::kBytes);
  EXPECT_THROW(augmenter.evaluate(jpeg_source(cut, 410, 333), out), Error);
  const PictureSource short_raw{PictureSource::Encoding::raw, cut, 410, 333};
  EXPECT_THROW(augmenter.evaluate(short_raw, out), Error);
  EXPECT_EQ(trained(augmenter, jpeg_source(bytes, 410, 333), kBoxes, 5).image, before.image);
}

TEST(Augment, CountsTheTimeOfEachStage) {
  const auto bytes = encode_jpeg(test_picture(410, 333));
  Augmenter augmenter;
  trained(augmenter, jpeg_source(bytes, 410, 333), kBoxes, 5);
  EXPECT_GT(augmenter.times().decode, 0);
  EXPECT_GT(augmenter.times().resize, 0);
  EXPECT_GT(augmenter.times().colour, 0);
}

}  // namespace
}  // namespace ssd
