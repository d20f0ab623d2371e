#include "image/gif.h"

#include <fmt/format.h>
#include <gif_lib.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "base/error.h"

namespace ssd {

struct GifDecoder::State {
  std::span<const std::byte> bytes;
  std::size_t at = 0;  // bytes that giflib has taken
  GifFileType* file = nullptr;
  int transparent = NO_TRANSPARENT_COLOR;
  std::array<std::array<std::uint8_t, 3>, 256> palette{};
  std::unique_ptr<std::uint8_t[]> pixels;
  std::vector<GifPixelType> row;

  State() = default;
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() { close(); }

  void close() {
    if (file != nullptr) DGifCloseFile(file, nullptr);
    file = nullptr;
  }

  static int on_read(GifFileType* file, GifByteType* to, int count) {
    State& s = *static_cast<State*>(file->UserData);
    const std::size_t taken = std::min(static_cast<std::size_t>(std::max(0, count)), s.bytes.size() - s.at);
    std::memcpy(to, s.bytes.data() + s.at, taken);
    s.at += taken;
    return static_cast<int>(taken);
  }

  [[noreturn]] void fail(int code) const {
    const char* reason =
        at >= bytes.size() ? "the end of the data before the end of the image" : GifErrorString(code);
    throw Error(
        "GIF data: got {} at byte {} of {}, expected a whole image that giflib can read; replace the file or "
        "save it anew",
        reason == nullptr ? "damaged data" : reason, at, bytes.size());
  }
  void check(int result) const {
    if (result == GIF_ERROR) fail(file->Error);
  }

  void read_extension();
  void read_up_to_the_image();
  void read_palette();
};

// Of the extensions the transparent colour alone counts.
void GifDecoder::State::read_extension() {
  int code = 0;
  GifByteType* block = nullptr;
  check(DGifGetExtension(file, &code, &block));
  GraphicsControlBlock control{};
  if (code == GRAPHICS_EXT_FUNC_CODE && block != nullptr &&
      DGifExtensionToGCB(block[0], block + 1, &control) == GIF_OK) {
    transparent = control.TransparentColor;
  }
  while (block != nullptr) check(DGifGetExtensionNext(file, &block));
}

void GifDecoder::State::read_up_to_the_image() {
  for (;;) {
    GifRecordType record = UNDEFINED_RECORD_TYPE;
    check(DGifGetRecordType(file, &record));
    if (record == IMAGE_DESC_RECORD_TYPE) break;
    if (record == EXTENSION_RECORD_TYPE) {
      read_extension();
    } else {
      throw Error("GIF data: got a file without an image, expected at least one; replace the file");
    }
  }
  check(DGifGetImageDesc(file));
}

void GifDecoder::State::read_palette() {
  const ColorMapObject* map = file->Image.ColorMap != nullptr ? file->Image.ColorMap : file->SColorMap;
  for (std::size_t i = 0; i < palette.size(); ++i) {
    const auto gray = map == nullptr ? static_cast<std::uint8_t>(i) : std::uint8_t{0};
    palette[i] = {gray, gray, gray};
    if (map != nullptr && i < static_cast<std::size_t>(map->ColorCount))
      palette[i] = {map->Colors[i].Red, map->Colors[i].Green, map->Colors[i].Blue};
  }
  if (transparent >= 0) palette[static_cast<std::size_t>(transparent)] = {255, 255, 255};
}

GifDecoder::GifDecoder(const ImageLimits& limits) : limits_(limits), state_(std::make_unique<State>()) {}
GifDecoder::~GifDecoder() = default;

const ImageInfo& GifDecoder::open(std::span<const std::byte> bytes) {
  State& s = *state_;
  rows_left_ = 0;
  s.close();
  s.pixels = nullptr;
  s.bytes = bytes;
  s.at = 0;
  s.transparent = NO_TRANSPARENT_COLOR;
  int code = 0;
  s.file = DGifOpen(&s, State::on_read, &code);
  if (s.file == nullptr) s.fail(code);
  s.read_up_to_the_image();
  const GifImageDesc& frame = s.file->Image;
  const std::int64_t width = std::max(s.file->SWidth, frame.Left + frame.Width),
                     height = std::max(s.file->SHeight, frame.Top + frame.Height);
  check_image_cost("GIF", {width, height, 3 * width * height + width}, limits_);
  if (frame.Width < 1 || frame.Height < 1)
    throw Error("GIF data: got a first frame of {}x{} pixels; replace the file", frame.Width, frame.Height);
  s.read_palette();
  info_ = {static_cast<int>(width), static_cast<int>(height), 3, 1};
  return info_;
}

GifDecoder::Raster GifDecoder::decode() {
  State& s = *state_;
  const GifImageDesc& frame = s.file->Image;
  const auto width = static_cast<std::size_t>(info_.width), height = static_cast<std::size_t>(info_.height);
  s.pixels = make_pixels(3);
  const auto& around = s.palette[static_cast<std::size_t>(std::max(0, s.transparent))];
  std::uint8_t* to = s.pixels.get();
  for (std::size_t i = 0; i < width * height; ++i) to = std::ranges::copy(around, to).out;

  // First row and step of the passes of an interlaced image.
  constexpr std::array<std::array<int, 2>, 4> interlaced = {{{0, 8}, {4, 8}, {2, 4}, {1, 2}}};
  constexpr std::array<std::array<int, 2>, 1> in_order = {{{0, 1}}};
  const std::span<const std::array<int, 2>> passes =
      frame.Interlace ? std::span<const std::array<int, 2>>(interlaced) : in_order;
  s.row.resize(static_cast<std::size_t>(frame.Width));
  for (const auto& [first, step] : passes) {
    for (int y = first; y < frame.Height; y += step) {
      s.check(DGifGetLine(s.file, s.row.data(), frame.Width));
      std::uint8_t* out = s.pixels.get() + 3 * (static_cast<std::size_t>(frame.Top + y) * width +
                                                static_cast<std::size_t>(frame.Left));
      for (const GifPixelType entry : s.row) out = std::ranges::copy(s.palette[entry], out).out;
    }
  }
  return {s.pixels.get(), 3 * width, 3};
}

std::string gif_library_version() {
  return fmt::format("{}.{}.{}", GIFLIB_MAJOR, GIFLIB_MINOR, GIFLIB_RELEASE);
}

}  // namespace ssd
