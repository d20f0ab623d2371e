// Pixels that tests compare: parts of images, and those that another program read.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <span>
#include <sstream>
#include <string>
#include <vector>

#include "image/format.h"
#include "testing/message_of.h"
#include "testing/test_jpeg.h"

namespace ssd {

// Binary, 8 bits.
inline Image read_ppm(const std::filesystem::path& file) {
  const auto bytes = read_file_for_test(file);
  std::istringstream in(std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
  std::string magic;
  Image image;
  int most = 0;
  in >> magic >> image.width >> image.height >> most;
  in.get();
  EXPECT_EQ(magic, "P6") << file;
  image.rgb.resize(3 * static_cast<std::size_t>(image.width) * static_cast<std::size_t>(image.height));
  in.read(reinterpret_cast<char*>(image.rgb.data()), static_cast<std::streamsize>(image.rgb.size()));
  EXPECT_TRUE(in) << file;
  return image;
}

inline Image decode_part(ImageDecoder& decoder, const PixelRect& rect) {
  decoder.start({.rect = rect});
  Image out{rect.width(), rect.height(), {}};
  while (decoder.rows_left() > 0) {
    for (const auto* row : decoder.read_rows()) out.rgb.insert(out.rgb.end(), row, row + 3 * out.width);
  }
  return out;
}

inline Image decode_part(ImageDecoder& decoder, std::span<const std::byte> bytes, const PixelRect& rect) {
  decoder.open(bytes);
  return decode_part(decoder, rect);
}

inline Image crop(const Image& image, const PixelRect& rect) {
  Image out{rect.width(), rect.height(), {}};
  for (int y = rect.top; y < rect.bottom; ++y) {
    const auto* row = image.rgb.data() + 3 * (static_cast<std::ptrdiff_t>(y) * image.width + rect.left);
    out.rgb.insert(out.rgb.end(), row, row + 3 * rect.width());
  }
  return out;
}

// What decoding them throws.
inline std::string decoding_error(std::span<const std::byte> bytes, const ImageLimits& limits = {}) {
  return message_of([&] { decode_image(bytes, limits); });
}

}  // namespace ssd
