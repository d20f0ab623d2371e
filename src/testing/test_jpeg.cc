#include "testing/test_jpeg.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
// After cstdio, whose FILE it needs
#include <jpeglib.h>

namespace ssd {
namespace {

void set_up(jpeg_compress_struct& info, const Image& image, const EncodeOptions& options) {
  info.image_width = static_cast<JDIMENSION>(image.width);
  info.image_height = static_cast<JDIMENSION>(image.height);
  info.input_components = options.components;
  info.in_color_space = options.components == 1   ? JCS_GRAYSCALE
                        : options.components == 3 ? JCS_RGB
                                                  : JCS_CMYK;
  jpeg_set_defaults(&info);
  jpeg_set_quality(&info, options.quality, TRUE);
  if (options.components == 3) {
    info.comp_info[0].h_samp_factor = options.h_samples;
    info.comp_info[0].v_samp_factor = options.v_samples;
  }
  if (options.progressive) jpeg_simple_progression(&info);
  info.arith_code = options.arithmetic;
  info.restart_in_rows = options.restart_rows;
}

std::vector<std::uint8_t> row_to_encode(const Image& image, int y, int components) {
  const std::uint8_t* rgb = image.rgb.data() + 3 * static_cast<std::ptrdiff_t>(y) * image.width;
  std::vector<std::uint8_t> row;
  for (int x = 0; x < image.width; ++x, rgb += 3) {
    row.insert(row.end(), rgb, rgb + std::min(components, 3));
    if (components == 4) row.push_back(255);  // no black in an Adobe file
  }
  return row;
}

}  // namespace

std::vector<std::byte> encode_jpeg(const Image& image, const EncodeOptions& options) {
  jpeg_compress_struct info{};
  jpeg_error_mgr errors{};
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  unsigned char* buffer = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&info, &buffer, &size);
  set_up(info, image, options);
  jpeg_start_compress(&info, TRUE);
  if (options.orientation != 0) {
    const auto segment = exif_segment(options.orientation, options.orientation % 2 == 0);
    jpeg_write_marker(&info, JPEG_APP0 + 1, reinterpret_cast<const JOCTET*>(segment.data()),
                      static_cast<unsigned>(segment.size()));
  }
  for (int y = 0; y < image.height; ++y) {
    std::vector<std::uint8_t> row = row_to_encode(image, y, options.components);
    JSAMPROW at = row.data();
    jpeg_write_scanlines(&info, &at, 1);
  }
  jpeg_finish_compress(&info);
  jpeg_destroy_compress(&info);
  const auto bytes = std::as_bytes(std::span(buffer, size));
  std::vector<std::byte> out(bytes.begin(), bytes.end());
  std::free(buffer);
  return out;
}

std::vector<std::byte> exif_segment(int orientation, bool big_endian) {
  std::vector<std::byte> out;
  const auto put = [&](std::uint32_t value, int size) {
    for (int i = 0; i < size; ++i) {
      const int shift = 8 * (big_endian ? size - 1 - i : i);
      out.push_back(static_cast<std::byte>(value >> shift));
    }
  };
  for (const char c : {'E', 'x', 'i', 'f', '\0', '\0'}) out.push_back(static_cast<std::byte>(c));
  for (int i = 0; i < 2; ++i) out.push_back(static_cast<std::byte>(big_endian ? 'M' : 'I'));
  put(42, 2);
  put(8, 4);    // the directory's place
  put(2, 2);    // entries
  put(256, 2);  // image width, long, 1 value
  put(4, 2);
  put(1, 4);
  put(640, 4);
  put(274, 2);  // orientation, short, 1 value
  put(3, 2);
  put(1, 4);
  put(static_cast<std::uint32_t>(orientation), 2);
  put(0, 2);
  put(0, 4);  // no further directory
  return out;
}

}  // namespace ssd
