// Pixels of a caller, in every order and with gaps between the rows, give the network what the same image in
// RGB does.
#include "api/pixel_buffer.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/random.h"
#include "boxes/ssd300.h"
#include "image/resize.h"
#include "testing/message_of.h"

namespace ssd {
namespace {

constexpr int width = 37, height = 23;
constexpr std::size_t input_bytes = 3u * image_size * image_size;

std::vector<std::uint8_t> random_bytes(std::size_t count) {
  Random random(7, 0, 0);
  std::vector<std::uint8_t> bytes(count);
  for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(random.uniform(0, 256));
  return bytes;
}

std::vector<std::uint8_t> input_of(const PixelBuffer& image) {
  std::vector<std::uint8_t> out(input_bytes);
  Resizer resizer;
  resize_to_input(image, resizer, out);
  return out;
}

// By the resize of whole images, which has tests of its own against Pillow.
std::vector<std::uint8_t> expected_of(const std::vector<std::uint8_t>& rgb) {
  std::vector<std::uint8_t> out(input_bytes);
  resize(rgb, {.x = {width, 0, width, image_size}, .y = {height, 0, height, image_size}}, out);
  return out;
}

// The same pixels in another order, each row followed by `gap` bytes that are no pixels.
std::vector<std::uint8_t> arranged(const std::vector<std::uint8_t>& rgb, ChannelOrder order,
                                   std::size_t gap) {
  std::vector<std::uint8_t> bytes;
  for (std::size_t at = 0; at < rgb.size(); at += 3) {
    const std::uint8_t r = rgb[at], g = rgb[at + 1], b = rgb[at + 2];
    switch (order) {
      case ChannelOrder::rgb:
        bytes.insert(bytes.end(), {r, g, b});
        break;
      case ChannelOrder::bgr:
        bytes.insert(bytes.end(), {b, g, r});
        break;
      case ChannelOrder::rgba:
        bytes.insert(bytes.end(), {r, g, b, 255});
        break;
      case ChannelOrder::bgra:
        bytes.insert(bytes.end(), {b, g, r, 255});
        break;
      case ChannelOrder::gray:
        bytes.push_back(r);
        break;
    }
    if ((at / 3 + 1) % width == 0) bytes.insert(bytes.end(), gap, 99);
  }
  return bytes;
}

TEST(PixelBuffer, EveryOrderAndStrideIsTheSameImage) {
  const std::vector<std::uint8_t> rgb = random_bytes(3u * width * height);
  std::vector<std::uint8_t> gray = rgb;
  for (std::size_t i = 0; i < gray.size(); ++i) gray[i] = rgb[i / 3 * 3];
  for (const ChannelOrder order :
       {ChannelOrder::rgb, ChannelOrder::bgr, ChannelOrder::rgba, ChannelOrder::bgra, ChannelOrder::gray}) {
    const auto& image = order == ChannelOrder::gray ? gray : rgb;
    for (const std::size_t gap : {0u, 5u}) {
      const std::vector<std::uint8_t> bytes = arranged(image, order, gap);
      const auto stride = static_cast<std::ptrdiff_t>(width * channels_of(order) + gap);
      const PixelBuffer buffer{bytes.data(), width, height, gap == 0 ? 0 : stride, order};
      EXPECT_EQ(input_of(buffer), expected_of(image)) << static_cast<int>(order) << " with a gap of " << gap;
    }
  }
}

TEST(PixelBuffer, ANegativeStrideIsAnImageWhoseUpperRowStandsLast) {
  const std::vector<std::uint8_t> rgb = random_bytes(3u * width * height);
  std::vector<std::uint8_t> turned;
  for (int y = height - 1; y >= 0; --y)
    turned.insert(turned.end(), rgb.begin() + 3 * y * width, rgb.begin() + 3 * (y + 1) * width);
  EXPECT_EQ(
      input_of({turned.data() + 3 * (height - 1) * width, width, height, -3 * width, ChannelOrder::rgb}),
      expected_of(rgb));
}

// Half of black over white is gray, and nothing over white is white.
TEST(PixelBuffer, AlphaIsLaidOverWhite) {
  for (const auto& [alpha, expected] : {std::pair{0, 255}, {128, 127}, {255, 0}}) {
    std::vector<std::uint8_t> black(4u * width * height, 0);
    for (std::size_t at = 3; at < black.size(); at += 4) black[at] = static_cast<std::uint8_t>(alpha);
    for (const ChannelOrder order : {ChannelOrder::rgba, ChannelOrder::bgra})
      EXPECT_EQ(input_of({black.data(), width, height, 0, order}),
                std::vector<std::uint8_t>(input_bytes, static_cast<std::uint8_t>(expected)));
  }
}

TEST(PixelBuffer, SizesAndStridesThatMakeNoSenseAreRefused) {
  const std::uint8_t pixel[4] = {};
  const auto refusal = [](const PixelBuffer& image) { return message_of([&] { input_of(image); }); };
  EXPECT_EQ(refusal({pixel, 1, 1, 0, ChannelOrder::rgb}), "");
  EXPECT_NE(refusal({nullptr, 1, 1, 0, ChannelOrder::rgb}).find("no pixels"), std::string::npos);
  EXPECT_NE(refusal({pixel, 0, 1, 0, ChannelOrder::rgb}).find("0x1"), std::string::npos);
  EXPECT_NE(refusal({pixel, 1, -1, 0, ChannelOrder::rgb}).find("1x-1"), std::string::npos);
  EXPECT_NE(refusal({pixel, 2, 1, 5, ChannelOrder::rgb}).find("at least 6"), std::string::npos);
  EXPECT_NE(refusal({pixel, 2, 1, -7, ChannelOrder::rgba}).find("at least 8"), std::string::npos);
  EXPECT_NE(refusal({pixel, 1 << 20, 1 << 20, 0, ChannelOrder::gray}).find("at most"), std::string::npos);
}

}  // namespace
}  // namespace ssd
