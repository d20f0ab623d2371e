#include "image/jpeg.h"

#include <cairo.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "base/error.h"
#include "image/format.h"
#include "testing/test_jpeg.h"

namespace ssd {
namespace {

namespace fs = std::filesystem;

const fs::path odd_files_folder = fs::path(SSD_SOURCE_DIR) / ".." / "shared" / "data" / "odd-jpegs";

std::vector<fs::path> odd_files() {
  std::vector<fs::path> files;
  if (!fs::exists(odd_files_folder)) return files;
  for (const auto& entry : fs::recursive_directory_iterator(odd_files_folder)) {
    if (entry.path().extension() == ".jpg" || entry.path().extension() == ".mpo")
      files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

Image read_png(const fs::path& path) {
  cairo_surface_t* surface = cairo_image_surface_create_from_png(path.c_str());
  EXPECT_EQ(cairo_surface_status(surface), CAIRO_STATUS_SUCCESS) << path;
  Image image{cairo_image_surface_get_width(surface), cairo_image_surface_get_height(surface), {}};
  for (int y = 0; y < image.height; ++y) {
    const unsigned char* row =
        cairo_image_surface_get_data(surface) + y * cairo_image_surface_get_stride(surface);
    for (int x = 0; x < image.width; ++x) {
      for (const int c : {2, 1, 0}) image.rgb.push_back(row[4 * x + c]);  // little-endian xRGB
    }
  }
  cairo_surface_destroy(surface);
  return image;
}

Image crop(const Image& image, const PixelRect& rect) {
  Image out{rect.width(), rect.height(), {}};
  for (int y = rect.top; y < rect.bottom; ++y) {
    const auto* row = image.rgb.data() + 3 * (static_cast<std::ptrdiff_t>(y) * image.width + rect.left);
    out.rgb.insert(out.rgb.end(), row, row + 3 * rect.width());
  }
  return out;
}

Image decode_part(JpegDecoder& decoder, std::span<const std::byte> bytes, const ImagePart& part) {
  decoder.open(bytes);
  decoder.start(part);
  Image out{part.rect.width(), part.rect.height(), {}};
  while (decoder.rows_left() > 0) {
    for (const auto* row : decoder.read_rows()) out.rgb.insert(out.rgb.end(), row, row + 3 * out.width);
  }
  return out;
}

PixelRect random_rect(int width, int height, Random& random) {
  const auto side = [&](int length) {
    const int begin = static_cast<int>(random.below(static_cast<std::uint64_t>(length)));
    const int end = begin + 1 + static_cast<int>(random.below(static_cast<std::uint64_t>(length - begin)));
    return std::pair(begin, end);
  };
  const auto [left, right] = side(width);
  const auto [top, bottom] = side(height);
  return {left, top, right, bottom};
}

void expect_parts_equal_whole(std::span<const std::byte> bytes, const std::string& name, int parts = 12) {
  JpegDecoder decoder;
  Random random(9, 0, 0);
  for (const int denominator : {1, 2, 4, 8}) {
    const ImageInfo info = decoder.open(bytes);
    const int width = (info.width + denominator - 1) / denominator;
    const int height = (info.height + denominator - 1) / denominator;
    const Image whole = decode_part(decoder, bytes, {{0, 0, width, height}, denominator});
    for (int i = 0; i < parts; ++i) {
      const PixelRect rect = random_rect(width, height, random);
      const Image part = decode_part(decoder, bytes, {rect, denominator});
      ASSERT_EQ(part.rgb, crop(whole, rect).rgb)
          << name << " 1/" << denominator << " " << rect.left << "," << rect.top << "," << rect.right << ","
          << rect.bottom << " of " << width << "x" << height;
    }
  }
}

// Pillow takes CMYK for Adobe's, full ink 0, whether the marker says so or not.
TEST(Jpeg, CmykIsTheSameWithoutAdobesMarker) {
  const Image image = test_image(40, 30);
  std::vector<std::byte> bytes = encode_jpeg(image, {.quality = 95, .components = 4});
  const Image marked = decode_image(bytes);
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const auto at = static_cast<std::ptrdiff_t>(text.find("Adobe"));
  ASSERT_GT(at, 4);  // FF EE, two bytes of length, Adobe and seven bytes more
  bytes.erase(bytes.begin() + at - 4, bytes.begin() + at + 12);
  const Image plain = decode_image(bytes);
  EXPECT_EQ(plain.rgb, marked.rgb);
  double sum = 0;
  for (std::size_t i = 0; i < image.rgb.size(); ++i) sum += std::abs(plain.rgb[i] - image.rgb[i]);
  EXPECT_LT(sum / static_cast<double>(image.rgb.size()), 5);
}

TEST(Jpeg, PartsEqualTheWhole) {
  const Image image = test_image(167, 131);
  for (const bool progressive : {false, true}) {
    for (const auto& [h, v] : {std::pair(1, 1), {2, 1}, {1, 2}, {2, 2}, {4, 1}, {1, 4}, {4, 2}}) {
      for (const int restart : {0, 2}) {
        const EncodeOptions options{
            .h_samples = h, .v_samples = v, .progressive = progressive, .restart_rows = restart};
        expect_parts_equal_whole(encode_jpeg(image, options), std::to_string(h) + "x" + std::to_string(v) +
                                                                  (progressive ? " progressive" : ""));
      }
    }
  }
  expect_parts_equal_whole(encode_jpeg(image, {.components = 1}), "gray");
  expect_parts_equal_whole(encode_jpeg(image, {.components = 4}), "CMYK");
  for (const int size : {1, 2, 3, 7, 8, 9, 17}) {
    expect_parts_equal_whole(encode_jpeg(test_image(size, size)), std::to_string(size));
  }
}

TEST(Jpeg, PartsEqualTheWholeInOddFiles) {
  const auto files = odd_files();
  if (files.empty()) GTEST_SKIP() << odd_files_folder << " is missing";
  for (const fs::path& file : files) {
    const auto bytes = read_file_for_test(file);
    try {
      const Image image = decode_image(bytes);
      if (image.rgb.size() > 3'000'000) continue;  // camera images of the common kind, for their EXIF
    } catch (const Error&) {
      continue;
    }
    expect_parts_equal_whole(bytes, file.filename(), 3);
  }
}

TEST(Jpeg, GivesBackWhatWasEncoded) {
  const Image image = test_image(80, 60);
  for (const int components : {3, 4}) {
    const auto bytes =
        encode_jpeg(image, {.quality = 98, .components = components, .h_samples = 1, .v_samples = 1});
    const Image out = decode_image(bytes);
    ASSERT_EQ(out.rgb.size(), image.rgb.size());
    double error = 0;
    for (std::size_t i = 0; i < out.rgb.size(); ++i) error += std::abs(out.rgb[i] - image.rgb[i]);
    EXPECT_LT(error / static_cast<double>(out.rgb.size()), 1.5) << components;
  }
}

TEST(Jpeg, ReadsHeaders) {
  const auto bytes = encode_jpeg(test_image(33, 21), {.components = 1, .orientation = 6});
  const ImageInfo info = read_image_header(bytes);
  EXPECT_EQ(info.width, 33);
  EXPECT_EQ(info.height, 21);
  EXPECT_EQ(info.channels, 1);
  EXPECT_EQ(info.orientation, 6);
}

// The files that came with somebody else's decoding equal it, but for the format that is out of scope.
TEST(Jpeg, DecodesOddFilesAsTheirSourcesDo) {
  if (!fs::exists(odd_files_folder)) GTEST_SKIP() << odd_files_folder << " is missing";
  int compared = 0;
  for (const fs::path& file : odd_files()) {
    const fs::path reference = fs::path(file).replace_extension(".reference.png");
    if (!fs::exists(reference)) continue;
    const auto bytes = read_file_for_test(file);
    if (file.filename() == "jpeg_lossless_sel1.jpg") {
      EXPECT_THROW(decode_image(bytes), Error);
      continue;
    }
    const Image got = decode_image(bytes);
    const Image expected = read_png(reference);
    ASSERT_EQ(got.width, expected.width) << file;
    ASSERT_EQ(got.height, expected.height) << file;
    double sum = 0;
    int worst = 0;
    for (std::size_t i = 0; i < got.rgb.size(); ++i) {
      const int difference = std::abs(got.rgb[i] - expected.rgb[i]);
      sum += difference;
      worst = std::max(worst, difference);
    }
    EXPECT_LE(sum / static_cast<double>(got.rgb.size()), 0.5) << file;
    EXPECT_LE(worst, 8) << file;
    ++compared;
  }
  EXPECT_EQ(compared, 13);
}

TEST(Jpeg, RefusesDamagedOddFilesAndReadsTheOthers) {
  if (!fs::exists(odd_files_folder)) GTEST_SKIP() << odd_files_folder << " is missing";
  const std::set<std::string> damaged = {"truncated_jpeg.jpg",
                                         "broken-adobe-marker-bad-length.jpg",
                                         "broken-bogus-segment-length.jpg",
                                         "broken-sos-before-sof.jpg",
                                         "dc-predictor-overflow.jpg",
                                         "empty.jpg",
                                         "jpeg_lossless_sel1.jpg",
                                         "max_size.jpg",
                                         "missing-frame-image-1410.jpg",
                                         "missing-sos.jpg",
                                         "null_height.jpg"};
  const auto files = odd_files();
  EXPECT_EQ(files.size(), 52u);
  for (const fs::path& file : files) {
    const auto bytes = read_file_for_test(file);
    if (damaged.contains(file.filename())) {
      EXPECT_THROW(decode_image(bytes), Error) << file;
    } else {
      EXPECT_NO_THROW(decode_image(bytes)) << file;
    }
  }
}

TEST(Jpeg, RefusesTruncatedFiles) {
  for (const int kind : {0, 1, 2}) {
    const auto whole = encode_jpeg(test_image(120, 90), {.progressive = kind == 1, .arithmetic = kind == 2});
    EXPECT_NO_THROW(decode_image(whole));
    for (std::size_t percent = 0; percent < 99; ++percent) {
      const std::span cut(whole.data(), whole.size() * percent / 100);
      EXPECT_THROW(decode_image(cut), Error) << percent << "%";
    }
  }
}

TEST(Jpeg, SurvivesDamage) {  // and is as good as new after each
  const Image image = test_image(60, 50);
  JpegDecoder decoder;
  Random random(4, 0, 0);
  for (const bool progressive : {false, true}) {
    const auto whole = encode_jpeg(image, {.progressive = progressive, .restart_rows = 1});
    const PixelRect rect = {3, 5, 50, 45};
    const auto expected = decode_part(decoder, whole, {rect}).rgb;
    for (int i = 0; i < 500; ++i) {
      auto broken = whole;
      for (int k = 0; k < 3; ++k)
        broken[random.below(broken.size())] = static_cast<std::byte>(random.below(256));
      try {
        const ImageInfo info = decoder.open(broken);
        if (info.width <= 2000 && info.height <= 2000) {
          decode_part(decoder, broken, {{0, 0, info.width, info.height}});
        }
      } catch (const Error& error) {
        EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
      }
    }
    EXPECT_EQ(decode_part(decoder, whole, {rect}).rgb, expected);
  }
}

// The file without its segments of a kind that come before the first scan.
std::vector<std::byte> without_segments(const std::vector<std::byte>& file, int marker) {
  std::vector<std::byte> out(file.begin(), file.begin() + 2);
  for (std::size_t at = 2; at + 3 < file.size();) {
    const int code = std::to_integer<int>(file[at + 1]);
    const bool scan = code == 0xda;
    const std::size_t length =
        std::to_integer<std::size_t>(file[at + 2]) << 8 | std::to_integer<std::size_t>(file[at + 3]);
    const std::size_t end = scan ? file.size() : at + 2 + length;
    if (code != marker)
      out.insert(out.end(), file.begin() + static_cast<std::ptrdiff_t>(at),
                 file.begin() + static_cast<std::ptrdiff_t>(end));
    at = end;
  }
  return out;
}

TEST(Jpeg, TakesNoTablesFromTheImageBefore) {
  const PixelRect rect = {0, 0, 60, 50};
  const auto whole = encode_jpeg(test_image(60, 50));
  const auto before = encode_jpeg(test_image(60, 50, 2), {.quality = 40, .progressive = true});
  const auto usual_codes = without_segments(whole, 0xc4);  // as frames of motion JPEG have it
  const auto no_quantization = without_segments(whole, 0xdb);
  ASSERT_LT(usual_codes.size() + 400, whole.size());
  ASSERT_LT(no_quantization.size() + 100, whole.size());
  JpegDecoder decoder;
  decode_part(decoder, before, {rect});
  EXPECT_EQ(decode_part(decoder, usual_codes, {rect}).rgb, decode_image(whole).rgb);
  decode_part(decoder, before, {rect});
  EXPECT_THROW(decode_part(decoder, no_quantization, {rect}), Error);
}

TEST(Jpeg, HasLimits) {
  const auto bytes = encode_jpeg(test_image(100, 80), {.progressive = true});
  EXPECT_THROW(decode_image(bytes, {.pixels = 7999}), Error);
  EXPECT_THROW(decode_image(bytes, {.scans = 3}), Error);
  EXPECT_THROW(decode_image(bytes, {.scanned_pixels = 3 * 8000}), Error);
  auto huge = encode_jpeg(test_image(100, 80));
  const auto start_of_frame = std::ranges::search(huge, std::array{std::byte{0xff}, std::byte{0xc0}});
  ASSERT_FALSE(start_of_frame.empty());
  for (const int at : {5, 7}) start_of_frame.begin()[at] = std::byte{0x1f};  // 8,000 pixels each way
  EXPECT_THROW(read_image_header(huge), Error);
  EXPECT_NO_THROW(decode_image(bytes, {.pixels = 8000, .scans = 20, .scanned_pixels = 20 * 8000}));
}

TEST(Jpeg, SaysWhatIsWrong) {
  const auto whole = encode_jpeg(test_image(64, 64));
  try {
    decode_image(std::span(whole.data(), whole.size() / 2));
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("the end of the data before the end of the image at byte"),
              std::string::npos)
        << error.what();
  }
}

}  // namespace
}  // namespace ssd
