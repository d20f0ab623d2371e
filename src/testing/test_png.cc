#include "testing/test_png.h"

#include <png.h>
#include <zlib.h>

#include <algorithm>

#include "testing/test_jpeg.h"

namespace ssd {
namespace {

void append(png_structp png, png_bytep data, png_size_t count) {
  auto& out = *static_cast<std::vector<std::byte>*>(png_get_io_ptr(png));
  const auto bytes = std::as_bytes(std::span(data, count));
  out.insert(out.end(), bytes.begin(), bytes.end());
}

void no_flush(png_structp) {}

// R, G, B, A of all rows; without alpha, the image's own.
std::vector<std::uint8_t> pixels_to_encode(const Image& image, bool alpha) {
  if (!alpha) return image.rgb;
  std::vector<std::uint8_t> out;
  for (std::size_t i = 0; 3 * i < image.rgb.size(); ++i) {
    const auto* pixel = image.rgb.data() + 3 * i;
    out.insert(out.end(), pixel, pixel + 3);
    out.push_back(static_cast<std::uint8_t>(37 * i));
  }
  return out;
}

void write_exif(png_structp png, int orientation) {
  const auto segment = exif_segment(orientation, orientation % 2 == 0);
  const auto tiff = std::span(segment).subspan(6);  // without "Exif\0\0"
  png_write_chunk(png, reinterpret_cast<png_const_bytep>("eXIf"),
                  reinterpret_cast<png_const_bytep>(tiff.data()), tiff.size());
}

}  // namespace

std::vector<std::byte> encode_png(const Image& image, const PngOptions& options) {
  std::vector<std::byte> out;
  std::vector<std::uint8_t> pixels = pixels_to_encode(image, options.alpha);
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  png_infop info = png_create_info_struct(png);
  png_set_write_fn(png, &out, append, no_flush);
  png_set_IHDR(png, info, static_cast<png_uint_32>(image.width), static_cast<png_uint_32>(image.height), 8,
               options.alpha ? PNG_COLOR_TYPE_RGB_ALPHA : PNG_COLOR_TYPE_RGB,
               options.interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
               PNG_FILTER_TYPE_DEFAULT);
  png_write_info(png, info);
  if (options.orientation != 0 && !options.exif_behind) write_exif(png, options.orientation);
  const std::size_t stride = pixels.size() / static_cast<std::size_t>(image.height);
  std::vector<png_bytep> rows;
  for (std::size_t y = 0; y < static_cast<std::size_t>(image.height); ++y)
    rows.push_back(pixels.data() + stride * y);
  png_write_image(png, rows.data());
  if (options.orientation != 0 && options.exif_behind) write_exif(png, options.orientation);
  png_write_end(png, nullptr);
  png_destroy_write_struct(&png, &info);
  return out;
}

std::vector<std::byte> png_chunk(std::string_view kind, std::span<const std::byte> data) {
  std::vector<std::byte> out(12 + data.size());
  const auto put = [&out](std::size_t at, std::uint64_t value) {
    for (std::size_t i = 0; i < 4; ++i) out[at + i] = static_cast<std::byte>(value >> (24 - 8 * i));
  };
  put(0, data.size());
  std::ranges::copy(std::as_bytes(std::span(kind)), out.begin() + 4);
  std::ranges::copy(data, out.begin() + 8);
  const auto* checked = reinterpret_cast<const Bytef*>(out.data() + 4);
  put(8 + data.size(), crc32(0, checked, static_cast<uInt>(4 + data.size())));
  return out;
}

std::size_t find_png_chunk(std::span<const std::byte> file, std::string_view kind) {
  const auto sought = std::as_bytes(std::span(kind));
  const auto found = std::search(file.begin(), file.end(), sought.begin(), sought.end());
  return found == file.end() ? file.size() : static_cast<std::size_t>(found - file.begin()) - 4;
}

}  // namespace ssd
