// Images and JPEG files for tests. Not part of the library.
#pragma once

#include <cmath>
#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "base/random.h"
#include "image/image.h"
#include "testing/file_content.h"

namespace ssd {

struct EncodeOptions {
  int quality = 90;
  int components = 3;  // 1 gray, 3 YCbCr, 4 CMYK (of the inverted RGB, no black)
  int h_samples = 2;   // luma's sampling factors
  int v_samples = 2;
  bool progressive = false;
  bool arithmetic = false;
  int restart_rows = 0;
  int orientation = 0;  // EXIF, 0 writes none
};

std::vector<std::byte> encode_jpeg(const Image& image, const EncodeOptions& options = {});

// The "Exif" payload that holds one orientation tag.
std::vector<std::byte> exif_segment(int orientation, bool big_endian);

// A smooth image with some noise, different for each seed.
inline Image test_image(int width, int height, std::uint64_t seed = 1) {
  Random random(seed, 0, 0);
  Image image{width, height, {}};
  const double a = random.uniform(0.02, 0.2);
  const double b = random.uniform(0.02, 0.2);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      for (int c = 0; c < 3; ++c) {
        const double wave = 100 + 60 * std::sin(a * x + c) + 60 * std::cos(b * y - c);
        image.rgb.push_back(static_cast<std::uint8_t>(wave + random.uniform(0, 30)));
      }
    }
  }
  return image;
}

inline std::vector<std::byte> read_file_for_test(const std::filesystem::path& path) {
  const std::string text = content_of(path);
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

}  // namespace ssd
