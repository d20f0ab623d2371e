// A small image file of each format that is read. Not part of the library.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <vector>

#include "image/heif.h"

namespace ssd {

// Upright all of them; without HEIC and AVIF where libheif is missing.
inline std::vector<std::filesystem::path> one_image_of_each_format() {
  const std::filesystem::path folder = std::filesystem::path(SSD_SOURCE_DIR) / "src/image/testdata";
  std::vector<std::filesystem::path> files;
  for (const char* name : {"bmp/palette-8.bmp", "gif/palette-256.gif", "png/rgb-8.png", "tiff/cmyk-8.tif",
                           "webp/lossless-alpha.webp"})
    files.push_back(folder / name);
  if (heif_library_version() == "none") return files;
  for (const char* name : {"heif/lossy.heic", "heif/lossy.avif"}) files.push_back(folder / name);
  return files;
}

}  // namespace ssd
