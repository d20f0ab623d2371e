// In place of heif.cc and heif_library.cc in a build without libheif's headers.
#include "base/error.h"
#include "image/heif.h"

namespace ssd {

struct HeifDecoder::State {};

HeifDecoder::HeifDecoder(const ImageLimits& limits) : limits_(limits) {}
HeifDecoder::~HeifDecoder() = default;

const ImageInfo& HeifDecoder::open(std::span<const std::byte>) {
  throw Error(
      "HEIC or AVIF data: got a program that was built without libheif, expected one with it; build it where "
      "libheif-dev is installed, or convert the file");
}

HeifDecoder::Raster HeifDecoder::decode() { return {}; }

std::string heif_library_version() { return "none"; }

}  // namespace ssd
