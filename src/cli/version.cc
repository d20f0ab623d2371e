#include "cli/version.h"

#include <fmt/format.h>

#include "backend/cpu/onednn_isa.h"
#include "backend/pjrt/pjrt.h"
#include "image/gif.h"
#include "image/heif.h"
#include "image/jpeg.h"
#include "image/png.h"
#include "image/tiff.h"
#include "image/webp.h"

namespace ssd::cli {

// A library's version comes from the room that owns the library.
std::string version_text() {
  return fmt::format(
      "{}\noneDNN {}\nlibjpeg-turbo {}\nlibpng {}\nlibwebp {}\nlibtiff {}\ngiflib {}\nlibheif {}\nPJRT C API "
      "{}",
      SSD_VERSION, cpu::onednn_version(), jpeg_library_version(), png_library_version(),
      webp_library_version(), tiff_library_version(), gif_library_version(), heif_library_version(),
      pjrt::api_version());
}

std::string version_number() {
  const std::string text = SSD_VERSION;  // "singleshot 0.1.0"
  return text.substr(text.find(' ') + 1);
}

}  // namespace ssd::cli
