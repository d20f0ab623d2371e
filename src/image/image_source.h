// A stored image on its way to being decoded.
#pragma once

#include <cstddef>
#include <span>

namespace ssd {

// An image as it comes from a file or a record cache; the bytes stay with their owner.
struct ImageSource {
  enum class Encoding { file, raw };

  Encoding encoding = Encoding::file;
  std::span<const std::byte> bytes;  // file: of any format in image/format.h; raw: height x width x 3, RGB
  // raw: the image's size. file: the size that the annotation states; 0, 0 where there is none.
  int width = 0;
  int height = 0;
};

}  // namespace ssd
