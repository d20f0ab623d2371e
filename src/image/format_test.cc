#include "image/format.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "testing/message_of.h"
#include "testing/test_jpeg.h"
#include "testing/test_png.h"

namespace ssd {
namespace {

std::string refusal(std::string_view text) {
  return message_of([&] { read_image_header(std::as_bytes(std::span(text))); });
}

TEST(ImageFormat, IsToldByTheFirstBytes) {
  const auto jpeg = encode_jpeg(test_image(8, 8)), png = encode_png(test_image(8, 8));
  ASSERT_NE(format_of(jpeg), nullptr);
  ASSERT_NE(format_of(png), nullptr);
  EXPECT_EQ(format_of(jpeg)->name, "JPEG");
  EXPECT_EQ(format_of(png)->name, "PNG");
  EXPECT_EQ(format_of({}), nullptr);
  EXPECT_EQ(format_of(std::span(png).first(3)), nullptr);
}

TEST(ImageFormat, NamesEndAsThoseOfTheFormatsDo) {
  for (const char* name : {"a.jpg", "a.JPEG", "a.b.jpe", "x/a.jfif", "a.mpo", "a.png", "a.PNG", "a.webp",
                           "a.bmp", "a.TIF", "a.tiff", "a.gif", "a.heic", "a.avif"})
    EXPECT_TRUE(is_image_name(name)) << name;
  for (const char* name : {"a", "a.txt", "png", ".png", "a.svg", "a.png.gz", ""})
    EXPECT_FALSE(is_image_name(name)) << name;
  EXPECT_EQ(format_of_name("a.Png")->name, "PNG");
  EXPECT_EQ(image_format_names(), "JPEG, PNG, WebP, BMP, TIFF, GIF, HEIC or AVIF");
}

// One after the other, each with what belongs to its format, and as good as new after bytes of none.
TEST(ImageFormat, DecodersArePickedByTheBytes) {
  const Image image = test_image(31, 17);
  const auto jpeg = encode_jpeg(image), png = encode_png(image);
  const Image from_jpeg = decode_image(jpeg);
  ImageDecoders decoders;
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(decoders.open(jpeg).max_denominator(), 8);
    EXPECT_THROW(decoders.open({}), Error);
    ImageDecoder& decoder = decoders.open(png);
    EXPECT_EQ(decoder.max_denominator(), 1);
    EXPECT_EQ(decoder.info().width, 31);
    EXPECT_EQ(decoder.info().height, 17);
  }
  EXPECT_EQ(decode_image(png).rgb, image.rgb);
  EXPECT_EQ(from_jpeg.rgb.size(), image.rgb.size());
}

TEST(ImageFormat, LimitsAreThoseOfTheProgramWhereNoneAreGiven) {
  const auto png = encode_png(test_image(11, 10));
  set_max_image_pixels(109);
  EXPECT_EQ(image_limits().memory, ImageLimits{}.memory);
  EXPECT_THROW(decode_image(png), Error);
  EXPECT_THROW(read_image_header(png), Error);
  EXPECT_NO_THROW(decode_image(png, {.pixels = 110}));
  set_max_image_pixels(std::int64_t{1} << 30);
  EXPECT_EQ(image_limits().memory, std::int64_t{1} << 33);
  set_max_image_pixels(ImageLimits{}.pixels);
  EXPECT_NO_THROW(decode_image(png));
}

TEST(ImageFormat, SaysWhatOtherBytesAre) {
  const std::string_view with_zeros("\0\1\2\3", 4);
  EXPECT_EQ(
      refusal("%PDF-1.4"),
      "image data: got a PDF document, expected JPEG, PNG, WebP, BMP, TIFF, GIF, HEIC or AVIF; convert or "
      "replace the file");
  EXPECT_TRUE(refusal("....ftypisom").starts_with("image data: got a video or another file of "));
  EXPECT_TRUE(refusal("RIFF1234WAVEfmt ").starts_with("image data: got text that begins with "));
  EXPECT_TRUE(refusal("RIFF1234WEBPVP8 ").starts_with("WebP data: "));
  EXPECT_TRUE(refusal("BMW").starts_with("BMP data: "));
  EXPECT_TRUE(refusal("GIF89a").starts_with("GIF data: "));
  EXPECT_TRUE(refusal({"II*\0", 4}).starts_with("TIFF data: "));
  EXPECT_TRUE(refusal("....ftypavif").starts_with("HEIC or AVIF data: "));
  EXPECT_TRUE(refusal("").starts_with("image data: got no bytes at all, "));
  EXPECT_TRUE(
      refusal("<html>\n<head>").starts_with("image data: got text that begins with \"<html> <head>\", "));
  EXPECT_TRUE(refusal(with_zeros).starts_with("image data: got bytes that begin with 00 01 02 03, "));
  EXPECT_TRUE(refusal("\x89PNG").starts_with("PNG data: "));
}

}  // namespace
}  // namespace ssd
