// Which formats images are read in, and which of them some bytes are.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "image/decoder.h"
#include "image/image.h"

namespace ssd {

// One row of the table of formats. A new format is a decoder and a row.
struct ImageFormat {
  std::string_view name;                         // "JPEG"
  std::span<const std::string_view> endings;     // of file names, in lower case with the dot
  std::span<const std::string_view> beginnings;  // of a file: one of these; "?" is any byte
  std::unique_ptr<ImageDecoder> (*make_decoder)(const ImageLimits& limits);
};

// By the first bytes; null where they are of no format in the table.
const ImageFormat* format_of(std::span<const std::byte> bytes);
// By the ending of a file's name; null where it is of no format in the table. The bytes have the last word.
const ImageFormat* format_of_name(const std::filesystem::path& file);
inline bool is_image_name(const std::filesystem::path& file) { return format_of_name(file) != nullptr; }

// "JPEG, PNG, ... or GIF": all formats in the table.
std::string image_format_names();

// The decoders of all formats, each made when it is first needed. One a thread.
class ImageDecoders {
 public:
  explicit ImageDecoders(const ImageLimits& limits = image_limits());

  // Opens the bytes with the decoder of their format, whatever a file's name says. The decoder stays with
  // this object. Throws Error as ImageDecoder::open does, and for bytes of no known format, which it
  // describes.
  ImageDecoder& open(std::span<const std::byte> bytes);

 private:
  ImageLimits limits_;
  std::vector<std::unique_ptr<ImageDecoder>> decoders_;  // as in the table
};

// The whole image, as stored.
Image decode_image(std::span<const std::byte> bytes, const ImageLimits& limits = image_limits());
ImageInfo read_image_header(std::span<const std::byte> bytes);

}  // namespace ssd
