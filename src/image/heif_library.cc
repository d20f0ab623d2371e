#include "image/heif_library.h"

#include <dlfcn.h>

#include <optional>
#include <string>

namespace ssd {
namespace {

template <typename Function>
bool find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, (std::string("heif_") + name).c_str()));
  return function != nullptr;
}

std::optional<HeifLibrary> load() {
  void* const library = dlopen("libheif.so.1", RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return std::nullopt;
  HeifLibrary heif;
  const bool all =
      find(library, "get_version", heif.get_version) && find(library, "context_alloc", heif.context_alloc) &&
      find(library, "context_free", heif.context_free) &&
      find(library, "context_read_from_memory_without_copy", heif.context_read_from_memory_without_copy) &&
      find(library, "context_set_max_decoding_threads", heif.context_set_max_decoding_threads) &&
      find(library, "context_get_primary_image_handle", heif.context_get_primary_image_handle) &&
      find(library, "image_handle_release", heif.image_handle_release) &&
      find(library, "image_handle_get_width", heif.image_handle_get_width) &&
      find(library, "image_handle_get_height", heif.image_handle_get_height) &&
      find(library, "image_handle_has_alpha_channel", heif.image_handle_has_alpha_channel) &&
      find(library, "image_handle_is_premultiplied_alpha", heif.image_handle_is_premultiplied_alpha) &&
      find(library, "decoding_options_alloc", heif.decoding_options_alloc) &&
      find(library, "decoding_options_free", heif.decoding_options_free) &&
      find(library, "decode_image", heif.decode_image) &&
      find(library, "image_get_width", heif.image_get_width) &&
      find(library, "image_get_height", heif.image_get_height) &&
      find(library, "image_get_plane", heif.image_get_plane) &&
      find(library, "image_release", heif.image_release);
  if (!all) return std::nullopt;
  return heif;
}

}  // namespace

const HeifLibrary* heif_library() {
  static const std::optional<HeifLibrary> library = load();
  return library ? &*library : nullptr;
}

}  // namespace ssd
