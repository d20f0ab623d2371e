#include "image/png.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>

#include "base/error.h"
#include "base/random.h"
#include "image/format.h"
#include "testing/pixels.h"
#include "testing/test_jpeg.h"
#include "testing/test_png.h"

namespace ssd {
namespace {

namespace fs = std::filesystem;

const fs::path testdata = fs::path(SSD_SOURCE_DIR) / "src/image/testdata/png";

void put(std::vector<std::byte>& file, std::size_t at, const std::vector<std::byte>& bytes) {
  std::ranges::copy(bytes, file.begin() + static_cast<std::ptrdiff_t>(at));
}

std::vector<std::byte> inserted(std::vector<std::byte> file, std::size_t at,
                                const std::vector<std::byte>& bytes) {
  file.insert(file.begin() + static_cast<std::ptrdiff_t>(at), bytes.begin(), bytes.end());
  return file;
}

// IHDR's data begins at byte 16: width, height, depth, colour type, compression, filter, interlace.
std::vector<std::byte> with_size(std::vector<std::byte> file, std::uint32_t width, std::uint32_t height) {
  std::vector<std::byte> data(file.begin() + 16, file.begin() + 29);
  for (std::size_t i = 0; i < 4; ++i) {
    data[i] = static_cast<std::byte>(width >> (24 - 8 * i));
    data[4 + i] = static_cast<std::byte>(height >> (24 - 8 * i));
  }
  put(file, 8, png_chunk("IHDR", data));
  return file;
}

TEST(Png, EveryKindIsReadAsPillowDoes) {  // testdata/make_png_testdata.py says where not
  int compared = 0;
  for (const auto& entry : fs::directory_iterator(testdata)) {
    if (entry.path().extension() != ".png") continue;
    const Image got = decode_image(read_file_for_test(entry.path()));
    const Image expected = read_ppm(fs::path(entry.path()).replace_extension(".ppm"));
    EXPECT_EQ(got.width, expected.width) << entry.path();
    EXPECT_EQ(got.height, expected.height) << entry.path();
    EXPECT_EQ(got.rgb, expected.rgb) << entry.path();
    ++compared;
  }
  EXPECT_EQ(compared, 25);
}

TEST(Png, PartsEqualTheWhole) {
  PngDecoder decoder;
  Random random(9, 0, 0);
  for (const bool alpha : {false, true}) {
    for (const bool interlaced : {false, true}) {
      const auto bytes = encode_png(test_image(67, 45), {.alpha = alpha, .interlaced = interlaced});
      const Image whole = decode_image(bytes);
      for (int i = 0; i < 30; ++i) {
        const int left = static_cast<int>(random.below(67)), top = static_cast<int>(random.below(45));
        const PixelRect rect = {left, top,
                                left + 1 + static_cast<int>(random.below(67u - static_cast<unsigned>(left))),
                                top + 1 + static_cast<int>(random.below(45u - static_cast<unsigned>(top)))};
        EXPECT_EQ(decode_part(decoder, bytes, rect).rgb, crop(whole, rect).rgb);
      }
    }
  }
}

TEST(Png, ReadsHeaders) {
  const auto info = read_image_header(encode_png(test_image(33, 21), {.alpha = true}));
  EXPECT_EQ(info.width, 33);
  EXPECT_EQ(info.height, 21);
  EXPECT_EQ(info.channels, 3);
  EXPECT_EQ(info.orientation, 1);
  for (const char* name : {"gray-1.png", "gray-alpha-16.png", "gray-key-8.png"})
    EXPECT_EQ(read_image_header(read_file_for_test(testdata / name)).channels, 1) << name;
  EXPECT_EQ(read_image_header(read_file_for_test(testdata / "palette-1.png")).channels, 3);
}

TEST(Png, FindsTheOrientationBeforeAndBehindThePixels) {
  for (const bool behind : {false, true}) {
    for (int tag = 1; tag <= 8; ++tag) {
      const auto bytes = encode_png(test_image(9, 7), {.orientation = tag, .exif_behind = behind});
      EXPECT_EQ(read_image_header(bytes).orientation, tag) << behind;
    }
  }
  const auto plain = encode_png(test_image(9, 7));
  const auto odd = inserted(plain, find_png_chunk(plain, "IDAT"), png_chunk("eXIf", {}));
  EXPECT_EQ(read_image_header(odd).orientation, 1);
}

TEST(Png, ACutFileIsRefusedAtOnce) {
  const auto whole = encode_png(test_image(40, 30), {.orientation = 6, .exif_behind = true});
  const std::size_t end = find_png_chunk(whole, "IEND");
  for (std::size_t size = 8; size < whole.size(); ++size) {
    const std::span cut(whole.data(), size);
    // Between two chunks behind the pixels nothing is missed that an image needs.
    if (size == end || size == find_png_chunk(whole, "eXIf")) {
      EXPECT_EQ(decode_image(cut).rgb, decode_image(whole).rgb) << size;
    } else if (size != find_png_chunk(whole, "IDAT")) {
      EXPECT_THROW(read_image_header(cut), Error) << size;
    }
  }
  EXPECT_NE(decoding_error(std::span(whole.data(), 200))
                .find("PNG data: got 200 bytes with a chunk that begins at byte"),
            std::string::npos);
}

TEST(Png, WrongChecksumsAreRefused) {
  const auto whole = encode_png(test_image(40, 30), {.orientation = 6});
  for (const char* kind : {"IHDR", "eXIf", "IDAT"}) {
    const std::size_t at = find_png_chunk(whole, kind);
    const std::size_t length =
        std::to_integer<std::size_t>(whole[at + 2]) << 8 | std::to_integer<std::size_t>(whole[at + 3]);
    auto broken = whole;
    broken[at + 8 + length] ^= std::byte{1};
    EXPECT_NE(decoding_error(broken).find("CRC error"), std::string::npos)
        << kind << ": " << decoding_error(broken);
  }
}

TEST(Png, DamageIsAnErrorOrAnImageAndHarmsNoneAfterIt) {
  PngDecoder decoder;
  Random random(4, 0, 0);
  for (const bool interlaced : {false, true}) {
    const auto whole = encode_png(test_image(60, 50), {.interlaced = interlaced});
    const PixelRect rect = {3, 5, 50, 45};
    const auto expected = decode_part(decoder, whole, rect).rgb;
    const std::size_t data = find_png_chunk(whole, "IDAT"), end = find_png_chunk(whole, "IEND");
    int refused = 0;
    for (int i = 0; i < 300; ++i) {
      // The checksum is right, so that the damage comes to be unpacked.
      std::vector<std::byte> packed(whole.begin() + static_cast<std::ptrdiff_t>(data) + 8,
                                    whole.begin() + static_cast<std::ptrdiff_t>(end) - 4);
      packed[random.below(packed.size())] ^= static_cast<std::byte>(1 + random.below(255));
      auto broken = whole;
      put(broken, data, png_chunk("IDAT", packed));
      try {
        decode_part(decoder, broken, rect);
      } catch (const Error& error) {
        ++refused;
        EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
      }
    }
    EXPECT_GT(refused, 50);
    EXPECT_EQ(decode_part(decoder, whole, rect).rgb, expected);
  }
}

// The file with chunks of `size` bytes for its pixels, which are below 64 KiB each in the file.
std::vector<std::byte> cut_up(const std::vector<std::byte>& file, std::size_t size) {
  const std::size_t begin = find_png_chunk(file, "IDAT"), end = find_png_chunk(file, "IEND");
  std::vector<std::byte> packed;
  for (std::size_t at = begin; at < end;) {
    const std::size_t length =
        std::to_integer<std::size_t>(file[at + 2]) << 8 | std::to_integer<std::size_t>(file[at + 3]);
    const auto content = std::span(file).subspan(at + 8, length);
    packed.insert(packed.end(), content.begin(), content.end());
    at += 12 + length;
  }
  std::vector<std::byte> result(file.begin(), file.begin() + static_cast<std::ptrdiff_t>(begin));
  for (std::size_t at = 0; at < packed.size(); at += size) {
    const auto chunk = png_chunk("IDAT", std::span(packed).subspan(at, std::min(size, packed.size() - at)));
    result.insert(result.end(), chunk.begin(), chunk.end());
  }
  result.insert(result.end(), file.begin() + static_cast<std::ptrdiff_t>(end), file.end());
  return result;
}

TEST(Png, PixelsDoNotDependOnHowTheyAreInflated) {
  for (const bool alpha : {false, true}) {
    const auto bytes = encode_png(test_image(300, 200), {.alpha = alpha});
    const Image at_once = decode_image(bytes), row_by_row = decode_image(bytes, {.memory = 20'000});
    EXPECT_EQ(at_once.rgb, row_by_row.rgb);
    EXPECT_EQ(decode_image(cut_up(bytes, 100)).rgb, at_once.rgb);
  }
}

TEST(Png, DamageBelowThePartIsNotLookedAt) {
  PngDecoder decoder;
  const auto whole = encode_png(test_image(300, 200));
  const PixelRect top = {0, 0, 300, 20};
  auto broken = cut_up(whole, whole.size() / 2);
  broken[find_png_chunk(broken, "IEND") - 1] ^= std::byte{1};  // the last chunk's checksum
  EXPECT_EQ(decode_part(decoder, broken, top).rgb, decode_part(decoder, whole, top).rgb);
  EXPECT_NE(decoding_error(broken).find("CRC error"), std::string::npos) << decoding_error(broken);
}

TEST(Png, RowsMissingFromWholeChunksAreAnError) {
  const auto whole = encode_png(test_image(40, 30));
  for (const std::uint32_t height : {31u, 60u}) {
    const auto taller = with_size(whole, 40, height);
    EXPECT_EQ(read_image_header(taller).height, static_cast<int>(height));
    EXPECT_TRUE(decoding_error(taller).starts_with("PNG data: got ")) << decoding_error(taller);
  }
}

TEST(Png, HasLimits) {
  const auto bytes = encode_png(test_image(100, 80)),
             interlaced = encode_png(test_image(100, 80), {.interlaced = true});
  EXPECT_NO_THROW(decode_image(bytes, {.pixels = 8000}));
  EXPECT_TRUE(decoding_error(bytes, {.pixels = 7999})
                  .starts_with("PNG size: got 100x80 pixels, expected at most 7999"));
  // Rows of four bytes a pixel: eight, or all of an interlaced image; and two of libpng's, of eight.
  EXPECT_NO_THROW(decode_image(bytes, {.memory = 4800}));
  EXPECT_NE(decoding_error(bytes, {.memory = 4799}).find("take 4800 bytes of memory"), std::string::npos);
  EXPECT_NO_THROW(decode_image(interlaced, {.memory = 33600}));
  EXPECT_NE(decoding_error(interlaced, {.memory = 33599}).find("take 33600 bytes of memory"),
            std::string::npos);
  EXPECT_THROW(read_image_header(with_size(bytes, 0x7fffffff, 0x7fffffff)), Error);
  EXPECT_THROW(read_image_header(with_size(bytes, 0, 80)), Error);
  EXPECT_THROW(read_image_header(with_size(bytes, 0x80000000, 1)), Error);
  // More than the bytes can hold, however well packed.
  EXPECT_NE(decoding_error(with_size(bytes, 11000, 11000)).find("bytes, expected at least"),
            std::string::npos);
}

// A text of many megabytes in a few bytes is nothing to unpack, a colour profile nothing to read.
TEST(Png, ChunksThatNoPixelNeedsArePassedOver) {
  const auto plain = encode_png(test_image(20, 10));
  const std::size_t at = find_png_chunk(plain, "IDAT");
  std::vector<std::byte> text(9, std::byte{'x'});
  for (const char* kind : {"zTXt", "iCCP", "iTXt", "hIST", "tIME", "abCd"})
    EXPECT_EQ(decode_image(inserted(plain, at, png_chunk(kind, text))).rgb, decode_image(plain).rgb) << kind;
  EXPECT_THROW(decode_image(inserted(plain, at, png_chunk("ABCD", text))),
               Error);  // one that it cannot do without
}

}  // namespace
}  // namespace ssd
