#include "image/heif_library.h"

#include <optional>
#include <string>

#include "base/late_library.h"

namespace ssd {
namespace {

std::optional<HeifLibrary> load() {
  const LateLibrary library("libheif.so.1");
  HeifLibrary heif;
  const auto find = [&](const std::string& name, auto& function) {
    return library.find("heif_" + name, function);
  };
  const bool all =
      find("get_version", heif.get_version) && find("context_alloc", heif.context_alloc) &&
      find("context_free", heif.context_free) &&
      find("context_read_from_memory_without_copy", heif.context_read_from_memory_without_copy) &&
      find("context_set_max_decoding_threads", heif.context_set_max_decoding_threads) &&
      find("context_get_primary_image_handle", heif.context_get_primary_image_handle) &&
      find("image_handle_release", heif.image_handle_release) &&
      find("image_handle_get_width", heif.image_handle_get_width) &&
      find("image_handle_get_height", heif.image_handle_get_height) &&
      find("image_handle_has_alpha_channel", heif.image_handle_has_alpha_channel) &&
      find("image_handle_is_premultiplied_alpha", heif.image_handle_is_premultiplied_alpha) &&
      find("decoding_options_alloc", heif.decoding_options_alloc) &&
      find("decoding_options_free", heif.decoding_options_free) && find("decode_image", heif.decode_image) &&
      find("image_get_width", heif.image_get_width) && find("image_get_height", heif.image_get_height) &&
      find("image_get_plane", heif.image_get_plane) && find("image_release", heif.image_release);
  if (!all) return std::nullopt;
  return heif;
}

}  // namespace

const HeifLibrary* heif_library() {
  static const std::optional<HeifLibrary> library = load();
  return library ? &*library : nullptr;
}

}  // namespace ssd
