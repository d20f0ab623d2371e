#include "image/heif.h"

#include <algorithm>
#include <string_view>

#include "base/error.h"
#include "image/convert_rows.h"
#include "image/heif_library.h"

namespace ssd {

struct HeifDecoder::State {
  const HeifLibrary* library = nullptr;
  heif_context* context = nullptr;
  heif_image_handle* handle = nullptr;
  heif_image* image = nullptr;

  State() = default;
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() { close(); }

  void close() {
    if (library == nullptr) return;
    if (image != nullptr) library->image_release(image);
    if (handle != nullptr) library->image_handle_release(handle);
    if (context != nullptr) library->context_free(context);
    image = nullptr;
    handle = nullptr;
    context = nullptr;
  }
};

namespace {

constexpr std::string_view format = "HEIC or AVIF";

// libheif's messages, without its lines' ends.
void check(const heif_error& error) {
  if (error.code == heif_error_Ok) return;
  std::string reason = error.message != nullptr ? error.message : "a fault";
  std::ranges::replace_if(
      reason, [](unsigned char c) { return c < ' '; }, ' ');
  const bool codec = error.code == heif_error_Unsupported_filetype ||
                     error.code == heif_error_Unsupported_feature ||
                     error.code == heif_error_Decoder_plugin_error;
  throw Error("{} data: got \"{}\" from libheif, expected a whole image that it can read; {}", format, reason,
              codec ? "install its codecs (libheif-plugin-libde265, libheif-plugin-dav1d) or convert the file"
                    : "replace the file or save it anew");
}

const HeifLibrary& loaded_library() {
  const HeifLibrary* const library = heif_library();
  if (library == nullptr) {
    throw Error(
        "{} data: got no libheif on this machine, expected libheif.so.1; install it (Debian: libheif1) or "
        "convert the file",
        format);
  }
  return *library;
}

}  // namespace

HeifDecoder::HeifDecoder(const ImageLimits& limits) : limits_(limits), state_(std::make_unique<State>()) {}
HeifDecoder::~HeifDecoder() = default;

const ImageInfo& HeifDecoder::open(std::span<const std::byte> bytes) {
  State& s = *state_;
  rows_left_ = 0;
  s.close();
  s.library = &loaded_library();
  s.context = s.library->context_alloc();
  if (s.context == nullptr) throw Error("{} data: libheif has no memory", format);
  s.library->context_set_max_decoding_threads(s.context, 0);  // the callers are threads enough
  check(s.library->context_read_from_memory_without_copy(s.context, bytes.data(), bytes.size(), nullptr));
  check(s.library->context_get_primary_image_handle(s.context, &s.handle));
  const std::int64_t width = s.library->image_handle_get_width(s.handle),
                     height = s.library->image_handle_get_height(s.handle);
  // The pixels handed out, and the planes that they are made of.
  check_image_cost(format, {width, height, (4 + 4) * width * height}, limits_);
  info_ = {static_cast<int>(width), static_cast<int>(height), 3, 1};
  return info_;
}

HeifDecoder::Raster HeifDecoder::decode() {
  State& s = *state_;
  const bool alpha = s.library->image_handle_has_alpha_channel(s.handle) != 0;
  const std::unique_ptr<heif_decoding_options, void (*)(heif_decoding_options*)> options(
      s.library->decoding_options_alloc(), s.library->decoding_options_free);
  if (!options) throw Error("{} data: libheif has no memory", format);
  options->convert_hdr_to_8bit = 1;
  if (s.image != nullptr) s.library->image_release(s.image);
  s.image = nullptr;
  check(s.library->decode_image(s.handle, &s.image, heif_colorspace_RGB,
                                alpha ? heif_chroma_interleaved_RGBA : heif_chroma_interleaved_RGB,
                                options.get()));
  const int width = s.library->image_get_width(s.image, heif_channel_interleaved),
            height = s.library->image_get_height(s.image, heif_channel_interleaved);
  int row_bytes = 0;
  std::uint8_t* const pixels = s.library->image_get_plane(s.image, heif_channel_interleaved, &row_bytes);
  if (pixels == nullptr || width != info_.width || height != info_.height) {
    throw Error("{} data: got {}x{} pixels, expected {}x{} as the header says; replace the file", format,
                width, height, info_.width, info_.height);
  }
  if (alpha && s.library->image_handle_is_premultiplied_alpha(s.handle) != 0) {
    for (std::ptrdiff_t y = 0; y < height; ++y) unpremultiply(pixels + y * row_bytes, width);
  }
  return {pixels, static_cast<std::size_t>(row_bytes), alpha ? 4 : 3};
}

std::string heif_library_version() {
  const HeifLibrary* const library = heif_library();
  return library != nullptr ? library->get_version() : "none";
}

}  // namespace ssd
