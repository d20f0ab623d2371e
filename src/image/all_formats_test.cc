// Files of every kind in every format against what Pillow makes of them, whole, in parts, cut and damaged.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/random.h"
#include "image/format.h"
#include "image/heif.h"
#include "testing/pixels.h"

// dav1d 1.0, behind libheif, keeps 40 bytes of some damaged AVIF files.
extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() { return "leak:libdav1d.so"; }

namespace ssd {
namespace {

namespace fs = std::filesystem;

struct Sample {
  fs::path file;
  std::vector<std::byte> bytes;
  bool lossy = false, chroma = false;

  Image expected() const { return read_ppm(file.string() + ".ppm"); }
};

// Of a folder that testdata/make_format_testdata.py made.
std::vector<Sample> samples_of(const std::string& folder) {
  std::vector<Sample> samples;
  for (const auto& entry : fs::directory_iterator(fs::path(SSD_SOURCE_DIR) / "src/image/testdata" / folder)) {
    const fs::path& file = entry.path();
    if (file.extension() == ".ppm") continue;
    const auto says = [&](const char* word) { return file.stem().string().find(word) != std::string::npos; };
    samples.push_back({file, read_file_for_test(file), says("lossy"), says("chroma")});
  }
  std::ranges::sort(samples, {}, &Sample::file);
  return samples;
}

double mean_difference(const Image& a, const Image& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.rgb.size() && i < b.rgb.size(); ++i) sum += std::abs(a.rgb[i] - b.rgb[i]);
  return sum / static_cast<double>(a.rgb.size());
}

int largest_difference(const Image& a, const Image& b) {
  int largest = 0;
  for (std::size_t i = 0; i < a.rgb.size() && i < b.rgb.size(); ++i)
    largest = std::max(largest, std::abs(a.rgb[i] - b.rgb[i]));
  return largest;
}

class AllFormats : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (GetParam() == "heif" && heif_library_version() == "none")
      GTEST_SKIP() << "libheif is not on this machine";
  }
};
INSTANTIATE_TEST_SUITE_P(, AllFormats, testing::Values("bmp", "gif", "heif", "tiff", "webp"),
                         [](const auto& one) { return one.param; });

TEST_P(AllFormats, EveryKindIsReadAsPillowDoes) {
  const std::map<std::string, std::size_t> counts = {
      {"bmp", 22}, {"gif", 11}, {"heif", 15}, {"tiff", 54}, {"webp", 14}};
  const auto samples = samples_of(GetParam());
  EXPECT_EQ(samples.size(), counts.at(GetParam()));
  for (const Sample& sample : samples) {
    SCOPED_TRACE(sample.file.string());
    const Image expected = sample.expected();
    const int orientation = read_image_header(sample.bytes).orientation;
    const Image got = oriented(decode_image(sample.bytes), orientation_of_tag(orientation));
    ASSERT_EQ(got.width, expected.width);
    ASSERT_EQ(got.height, expected.height);
    EXPECT_LE(mean_difference(got, expected), sample.chroma ? 6 : sample.lossy ? 0.5 : 0);
    if (sample.chroma) continue;
    EXPECT_LE(largest_difference(got, expected), sample.lossy ? 2 : 0);
  }
}

TEST_P(AllFormats, PartsEqualTheWhole) {
  ImageDecoders decoders;
  Random random(9, 0, 0);
  for (const Sample& sample : samples_of(GetParam())) {
    SCOPED_TRACE(sample.file.string());
    const Image whole = decode_image(sample.bytes);
    for (int i = 0; i < 6; ++i) {
      const auto below = [&](int most) {
        return static_cast<int>(random.below(static_cast<unsigned>(most)));
      };
      const int left = below(whole.width), top = below(whole.height);
      const PixelRect rect = {left, top, left + 1 + below(whole.width - left),
                              top + 1 + below(whole.height - top)};
      EXPECT_EQ(decode_part(decoders.open(sample.bytes), rect).rgb, crop(whole, rect).rgb);
    }
  }
}

// An error of one line, or an image where what is missing is not of the first image.
TEST_P(AllFormats, ACutFileIsAnErrorOrTheImage) {
  for (const Sample& sample : samples_of(GetParam())) {
    SCOPED_TRACE(sample.file.string());
    const Image whole = decode_image(sample.bytes);
    int refused = 0, steps = 0;
    for (std::size_t size = 12; size < sample.bytes.size(); size += 1 + sample.bytes.size() / 40, ++steps) {
      const auto cut = std::span(sample.bytes).first(size);
      try {
        EXPECT_EQ(decode_image(cut).rgb, whole.rgb) << size;
      } catch (const Error& error) {
        ++refused;
        EXPECT_EQ(std::string_view(error.what()).find('\n'), std::string::npos);
      }
    }
    EXPECT_GE(refused, steps / 3);
  }
}

TEST_P(AllFormats, DamageIsAnErrorOrAnImageAndHarmsNoneAfterIt) {
  const auto samples = samples_of(GetParam());
  ImageDecoders decoders;
  Random random(4, 0, 0);
  testing::internal::CaptureStderr();
  for (int i = 0; i < 300; ++i) {
    auto broken = samples[static_cast<std::size_t>(i) % samples.size()].bytes;
    for (int changes = 1 + i % 3; changes > 0; --changes)
      broken[12 + random.below(broken.size() - 12)] = static_cast<std::byte>(random.below(256));
    try {
      ImageDecoder& decoder = decoders.open(broken);
      decoder.start_whole();
      while (decoder.rows_left() > 0) decoder.read_rows();
    } catch (const Error& error) {
      EXPECT_EQ(std::string_view(error.what()).find('\n'), std::string::npos);
    }
  }
  const std::string printed = testing::internal::GetCapturedStderr();
  if (GetParam() != "heif") {  // dav1d, behind libheif, prints what it finds wrong
    EXPECT_EQ(printed, "");
  }
  for (const Sample& sample : samples) {
    const Image whole = decode_image(sample.bytes);
    EXPECT_EQ(decode_part(decoders.open(sample.bytes), {0, 0, whole.width, whole.height}).rgb, whole.rgb);
  }
}

TEST_P(AllFormats, HaveLimits) {
  for (const Sample& sample : samples_of(GetParam())) {
    SCOPED_TRACE(sample.file.string());
    const ImageInfo info = read_image_header(sample.bytes);
    const std::int64_t pixels = std::int64_t{info.width} * info.height;
    EXPECT_NO_THROW(decode_image(sample.bytes, {.pixels = pixels}));
    EXPECT_NE(decoding_error(sample.bytes, {.pixels = pixels - 1}).find(" size: got "), std::string::npos);
    EXPECT_NE(
        decoding_error(sample.bytes, {.memory = 3 * info.width}).find(" bytes of memory, expected at most "),
        std::string::npos);
  }
}

}  // namespace
}  // namespace ssd
