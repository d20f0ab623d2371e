#include "image/format.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>

#include "base/error.h"
#include "image/jpeg.h"
#include "image/png.h"

namespace ssd {
namespace {

template <typename Decoder>
std::unique_ptr<ImageDecoder> make(const ImageLimits& limits) {
  return std::make_unique<Decoder>(limits);
}

constexpr std::array<std::string_view, 5> jpeg_endings = {".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"};
constexpr std::array<std::string_view, 1> jpeg_beginnings = {"\xff\xd8"};
constexpr std::array<std::string_view, 1> png_endings = {".png"};
constexpr std::array<std::string_view, 1> png_beginnings = {"\x89PNG"};

constexpr std::array<ImageFormat, 2> formats = {{
    {"JPEG", jpeg_endings, jpeg_beginnings, make<JpegDecoder>},
    {"PNG", png_endings, png_beginnings, make<PngDecoder>},
}};

// Formats that are known by sight alone.
struct OtherFormat {
  std::string_view name;
  std::size_t at;
  std::string_view bytes;
};
constexpr std::array<OtherFormat, 8> other_formats = {{
    {"GIF image", 0, "GIF8"},
    {"BMP image", 0, "BM"},
    {"WebP image", 8, "WEBP"},
    {"TIFF image", 0, {"II*\0", 4}},
    {"TIFF image", 0, {"MM\0*", 4}},
    {"HEIC or AVIF image", 4, "ftyp"},
    {"PDF document", 0, "%PDF"},
    {"Git LFS pointer instead of the file", 0, "version https://git-lfs"},
}};

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string in_hexadecimal(std::string_view bytes) {
  std::string out;
  for (const char c : bytes)
    out += fmt::format("{}{:02x}", out.empty() ? "" : " ", static_cast<unsigned char>(c));
  return out;
}

// What bytes of no format in the table are.
std::string describe(std::span<const std::byte> bytes) {
  constexpr std::size_t shown = 16;
  if (bytes.empty()) return "no bytes at all";
  const std::string_view text = text_of(bytes);
  for (const OtherFormat& other : other_formats) {
    if (text.size() > other.at && text.substr(other.at).starts_with(other.bytes))
      return fmt::format("a {}", other.name);
  }
  const std::string_view first = text.substr(0, shown);
  const auto plain = [](unsigned char c) {
    return std::isprint(c) != 0 || c == '\n' || c == '\r' || c == '\t';
  };
  if (!std::ranges::all_of(first, plain))
    return fmt::format("bytes that begin with {}", in_hexadecimal(first));
  std::string line(first);
  std::ranges::replace_if(
      line, [](unsigned char c) { return c < ' '; }, ' ');
  return fmt::format("text that begins with \"{}\"", line);
}

}  // namespace

std::span<const ImageFormat> image_formats() { return formats; }

const ImageFormat* format_of(std::span<const std::byte> bytes) {
  const std::string_view text = text_of(bytes);
  const auto found = std::ranges::find_if(formats, [text](const ImageFormat& format) {
    return std::ranges::any_of(format.beginnings, [text](std::string_view b) { return text.starts_with(b); });
  });
  return found != formats.end() ? &*found : nullptr;
}

const ImageFormat* format_of_name(const std::filesystem::path& file) {
  std::string ending = file.extension().string();
  std::ranges::transform(ending, ending.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  const auto found = std::ranges::find_if(formats, [&ending](const ImageFormat& format) {
    return std::ranges::find(format.endings, ending) != format.endings.end();
  });
  return found != formats.end() ? &*found : nullptr;
}

std::string image_format_names() {
  std::string names;
  for (const ImageFormat& format : formats) {
    const bool first = &format == &formats.front(), last = &format == &formats.back();
    names += first ? "" : last ? " or " : ", ";
    names += format.name;
  }
  return names;
}

ImageDecoders::ImageDecoders(const ImageLimits& limits) : limits_(limits), decoders_(formats.size()) {}

ImageDecoder& ImageDecoders::open(std::span<const std::byte> bytes) {
  const ImageFormat* const format = format_of(bytes);
  if (format == nullptr) {
    throw Error("image data: got {}, expected {}; convert or replace the file", describe(bytes),
                image_format_names());
  }
  std::unique_ptr<ImageDecoder>& decoder = decoders_[static_cast<std::size_t>(format - formats.data())];
  if (!decoder) decoder = format->make_decoder(limits_);
  decoder->open(bytes);
  return *decoder;
}

Image decode_image(std::span<const std::byte> bytes, const ImageLimits& limits) {
  ImageDecoders decoders(limits);
  ImageDecoder& decoder = decoders.open(bytes);
  const ImageInfo& info = decoder.info();
  Image image{info.width, info.height, {}};
  const std::size_t row_bytes = 3 * static_cast<std::size_t>(info.width);
  decoder.start_whole();
  image.rgb.resize(row_bytes * static_cast<std::size_t>(info.height));
  std::uint8_t* to = image.rgb.data();
  while (decoder.rows_left() > 0) {
    for (const std::uint8_t* row : decoder.read_rows()) to = std::copy_n(row, row_bytes, to);
  }
  return image;
}

ImageInfo read_image_header(std::span<const std::byte> bytes) { return ImageDecoders().open(bytes).info(); }

}  // namespace ssd
