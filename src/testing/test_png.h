// PNG files for tests. Not part of the library.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "image/image.h"

namespace ssd {

struct PngOptions {
  bool alpha = false;  // pixel i of all has alpha 37 i mod 256
  bool interlaced = false;
  int orientation = 0;       // EXIF, 0 writes none
  bool exif_behind = false;  // the chunk stands behind the pixels
};

std::vector<std::byte> encode_png(const Image& image, const PngOptions& options = {});

// A chunk with its checksum, and the place of the first one of a kind; the file's size where there is none.
std::vector<std::byte> png_chunk(std::string_view kind, std::span<const std::byte> data);
std::size_t find_png_chunk(std::span<const std::byte> file, std::string_view kind);

}  // namespace ssd
