#include "image/jpeg_encode.h"

#include <array>
#include <csetjmp>
#include <cstdio>
#include <cstdlib>
#include <string>
// After cstdio, whose FILE it needs
#include <jpeglib.h>

#include "base/error.h"

namespace ssd {
namespace {

// What libjpeg works on; `info.client_data` leads its callbacks back here.
struct Encoder {
  jpeg_compress_struct info{};
  jpeg_error_mgr errors{};
  std::jmp_buf escape;
  std::array<char, JMSG_LENGTH_MAX> reason{};
  unsigned char* buffer = nullptr;  // libjpeg's, from malloc
  unsigned long bytes = 0;

  Encoder() = default;
  Encoder(const Encoder&) = delete;
  Encoder& operator=(const Encoder&) = delete;
  ~Encoder() {
    jpeg_destroy_compress(&info);
    std::free(buffer);
  }
};

void on_error(j_common_ptr info) {
  auto& encoder = *static_cast<Encoder*>(info->client_data);
  info->err->format_message(info, encoder.reason.data());
  std::longjmp(encoder.escape, 1);
}

// False where libjpeg gave up. Nothing in here has a destructor: longjmp would leave it out.
bool run(Encoder& encoder, const Image& image, int quality) {
  jpeg_compress_struct& info = encoder.info;
  info.err = jpeg_std_error(&encoder.errors);
  encoder.errors.error_exit = on_error;
  info.client_data = &encoder;
  if (setjmp(encoder.escape) != 0) return false;
  jpeg_create_compress(&info);
  jpeg_mem_dest(&info, &encoder.buffer, &encoder.bytes);
  info.image_width = static_cast<JDIMENSION>(image.width);
  info.image_height = static_cast<JDIMENSION>(image.height);
  info.input_components = 3;
  info.in_color_space = JCS_RGB;
  jpeg_set_defaults(&info);
  jpeg_set_quality(&info, quality, TRUE);
  info.optimize_coding = TRUE;
  jpeg_start_compress(&info, TRUE);
  const std::size_t stride = 3 * static_cast<std::size_t>(image.width);
  while (info.next_scanline < info.image_height) {
    auto* row = const_cast<JSAMPLE*>(image.rgb.data() + info.next_scanline * stride);
    jpeg_write_scanlines(&info, &row, 1);
  }
  jpeg_finish_compress(&info);
  return true;
}

}  // namespace

void encode_jpeg(const Image& image, int quality, std::vector<std::byte>& out) {
  Encoder encoder;
  if (!run(encoder, image, quality))
    throw Error("JPEG: cannot encode {} x {} pixels: {}", image.width, image.height, encoder.reason.data());
  const auto* bytes = reinterpret_cast<const std::byte*>(encoder.buffer);
  out.assign(bytes, bytes + encoder.bytes);
}

}  // namespace ssd
