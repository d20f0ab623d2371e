// libheif, loaded when it is first needed.
#pragma once

#include <libheif/heif.h>

namespace ssd {

// Those of its functions that are called, by their own names.
struct HeifLibrary {
  decltype(&heif_get_version) get_version = nullptr;
  decltype(&heif_context_alloc) context_alloc = nullptr;
  decltype(&heif_context_free) context_free = nullptr;
  decltype(&heif_context_read_from_memory_without_copy) context_read_from_memory_without_copy = nullptr;
  decltype(&heif_context_set_max_decoding_threads) context_set_max_decoding_threads = nullptr;
  decltype(&heif_context_get_primary_image_handle) context_get_primary_image_handle = nullptr;
  decltype(&heif_image_handle_release) image_handle_release = nullptr;
  decltype(&heif_image_handle_get_width) image_handle_get_width = nullptr;
  decltype(&heif_image_handle_get_height) image_handle_get_height = nullptr;
  decltype(&heif_image_handle_has_alpha_channel) image_handle_has_alpha_channel = nullptr;
  decltype(&heif_image_handle_is_premultiplied_alpha) image_handle_is_premultiplied_alpha = nullptr;
  decltype(&heif_decoding_options_alloc) decoding_options_alloc = nullptr;
  decltype(&heif_decoding_options_free) decoding_options_free = nullptr;
  decltype(&heif_decode_image) decode_image = nullptr;
  decltype(&heif_image_get_width) image_get_width = nullptr;
  decltype(&heif_image_get_height) image_get_height = nullptr;
  decltype(&heif_image_get_plane) image_get_plane = nullptr;
  decltype(&heif_image_release) image_release = nullptr;
};

// Null where this machine has none or one too old. Any thread may call.
const HeifLibrary* heif_library();

}  // namespace ssd
