#include "image/webp.h"

#include <fmt/format.h>
#include <webp/decode.h>
#include <webp/demux.h>

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "image/exif.h"

namespace ssd {

struct WebpDecoder::State {
  std::span<const std::byte> frame;  // of the file's bytes
  PixelRect place;                   // of the frame on the canvas
  bool alpha = false;
  std::unique_ptr<std::uint8_t[]> pixels;
};

namespace {

struct Demuxer {
  explicit Demuxer(std::span<const std::byte> bytes) {
    const WebPData data{reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()};
    demuxer = WebPDemux(&data);
    if (demuxer == nullptr || WebPDemuxGetFrame(demuxer, 1, &frame) == 0) {
      WebPDemuxDelete(demuxer);
      throw Error(
          "WebP data: got {} bytes that are no whole file, expected one that libwebp can read; replace the "
          "file "
          "or save it anew",
          bytes.size());
    }
  }
  Demuxer(const Demuxer&) = delete;
  Demuxer& operator=(const Demuxer&) = delete;
  ~Demuxer() {
    WebPDemuxReleaseIterator(&frame);
    WebPDemuxDelete(demuxer);
  }

  WebPDemuxer* demuxer = nullptr;
  WebPIterator frame{};
};

// The chunk is a TIFF file, with JPEG's "Exif\0\0" before it where it was taken over from there.
int orientation_in_chunk(const WebPDemuxer* demuxer) {
  WebPChunkIterator chunk{};
  if (WebPDemuxGetChunk(demuxer, "EXIF", 1, &chunk) == 0) return 1;
  const std::span bytes(reinterpret_cast<const std::byte*>(chunk.chunk.bytes), chunk.chunk.size);
  const bool as_jpeg = bytes.size() >= 4 && std::memcmp(bytes.data(), "Exif", 4) == 0;
  const int orientation = as_jpeg ? exif_orientation(bytes) : tiff_orientation(bytes);
  WebPDemuxReleaseChunkIterator(&chunk);
  return orientation;
}

std::string_view reason_of(VP8StatusCode status) {
  switch (status) {
    case VP8_STATUS_OK:
      return "nothing wrong";
    case VP8_STATUS_OUT_OF_MEMORY:
      return "no memory";
    case VP8_STATUS_INVALID_PARAM:
    case VP8_STATUS_USER_ABORT:
      return "an image of another size than the header says";
    case VP8_STATUS_BITSTREAM_ERROR:
      return "damaged data";
    case VP8_STATUS_UNSUPPORTED_FEATURE:
      return "a feature that libwebp does not know";
    case VP8_STATUS_SUSPENDED:
    case VP8_STATUS_NOT_ENOUGH_DATA:
      return "the end of the data before the end of the image";
  }
  return "an unknown fault";
}

}  // namespace

WebpDecoder::WebpDecoder(const ImageLimits& limits) : limits_(limits), state_(std::make_unique<State>()) {}
WebpDecoder::~WebpDecoder() = default;

const ImageInfo& WebpDecoder::open(std::span<const std::byte> bytes) {
  State& s = *state_;
  rows_left_ = 0;
  s = {};
  const Demuxer file(bytes);
  const std::int64_t width = WebPDemuxGetI(file.demuxer, WEBP_FF_CANVAS_WIDTH),
                     height = WebPDemuxGetI(file.demuxer, WEBP_FF_CANVAS_HEIGHT);
  const WebPIterator& frame = file.frame;
  s.alpha = frame.has_alpha != 0;
  s.frame = {reinterpret_cast<const std::byte*>(frame.fragment.bytes), frame.fragment.size};
  s.place = {frame.x_offset, frame.y_offset, frame.x_offset + frame.width, frame.y_offset + frame.height};
  WebPBitstreamFeatures features{};
  const VP8StatusCode status = WebPGetFeatures(frame.fragment.bytes, frame.fragment.size, &features);
  if (status != VP8_STATUS_OK)
    throw Error("WebP data: got {}, expected a whole image; replace the file", reason_of(status));
  // Of the canvas and, in libwebp, of a lossless frame; of a lossy one rows, and its alpha.
  constexpr int lossless = 2;
  const std::int64_t inside = features.format == lossless ? 4 : 1;
  check_image_cost("WebP", {width, height, (s.alpha ? 4 : 3) * width * height + inside * width * height},
                   limits_);
  if (s.place.right > width || s.place.bottom > height || features.width != frame.width ||
      features.height != frame.height) {
    throw Error(
        "WebP data: got a frame of {}x{} pixels that does not fit its place in {}x{}; replace the file",
        features.width, features.height, width, height);
  }
  info_ = {static_cast<int>(width), static_cast<int>(height), 3, orientation_in_chunk(file.demuxer)};
  return info_;
}

WebpDecoder::Raster WebpDecoder::decode() {
  State& s = *state_;
  const int channels = s.alpha ? 4 : 3;
  const auto row_bytes = static_cast<std::size_t>(channels) * static_cast<std::size_t>(info_.width);
  const std::size_t size = row_bytes * static_cast<std::size_t>(info_.height);
  s.pixels = make_pixels(channels);
  const bool covers = s.place.width() == info_.width && s.place.height() == info_.height;
  if (!covers) std::fill_n(s.pixels.get(), size, std::uint8_t{255});

  WebPDecoderConfig config;
  if (WebPInitDecoderConfig(&config) == 0)
    throw Error("WebP data: libwebp is of another version than the one this program was built for");
  const std::size_t offset = static_cast<std::size_t>(s.place.top) * row_bytes +
                             static_cast<std::size_t>(channels) * static_cast<std::size_t>(s.place.left);
  config.output.colorspace = s.alpha ? MODE_RGBA : MODE_RGB;
  config.output.is_external_memory = 1;
  config.output.u.RGBA = {s.pixels.get() + offset, static_cast<int>(row_bytes), size - offset};
  const VP8StatusCode status =
      WebPDecode(reinterpret_cast<const std::uint8_t*>(s.frame.data()), s.frame.size(), &config);
  if (status != VP8_STATUS_OK) {
    throw Error(
        "WebP data: got {}, expected a whole image that libwebp can read; replace the file or save it anew",
        reason_of(status));
  }
  return {s.pixels.get(), row_bytes, channels};
}

std::string webp_library_version() {
  const int version = WebPGetDecoderVersion();
  return fmt::format("{}.{}.{}", version >> 16, version >> 8 & 0xff, version & 0xff);
}

}  // namespace ssd
