#include "image/format.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>

#include "base/error.h"
#include "image/bmp.h"
#include "image/gif.h"
#include "image/heif.h"
#include "image/jpeg.h"
#include "image/png.h"
#include "image/tiff.h"
#include "image/webp.h"

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
constexpr std::array<std::string_view, 1> webp_endings = {".webp"};
constexpr std::array<std::string_view, 1> webp_beginnings = {"RIFF????WEBP"};
constexpr std::array<std::string_view, 2> bmp_endings = {".bmp", ".dib"};
constexpr std::array<std::string_view, 1> bmp_beginnings = {"BM"};
constexpr std::array<std::string_view, 2> tiff_endings = {".tif", ".tiff"};
constexpr std::array<std::string_view, 4> tiff_beginnings = {
    {{"II*\0", 4}, {"MM\0*", 4}, {"II+\0", 4}, {"MM\0+", 4}}};
constexpr std::array<std::string_view, 1> gif_endings = {".gif"};
constexpr std::array<std::string_view, 2> gif_beginnings = {"GIF87a", "GIF89a"};
// Brands of ISO/IEC 23008-12: its own images', and those that say no more than "a file of that standard".
constexpr std::array<std::string_view, 3> heic_endings = {".heic", ".heif", ".hif"};
constexpr std::array<std::string_view, 8> heic_beginnings = {"????ftypheic", "????ftypheix", "????ftypheim",
                                                             "????ftypheis", "????ftyphevc", "????ftyphevx",
                                                             "????ftypmif1", "????ftypmsf1"};
constexpr std::array<std::string_view, 1> avif_endings = {".avif"};
constexpr std::array<std::string_view, 2> avif_beginnings = {"????ftypavif", "????ftypavis"};

constexpr std::array<ImageFormat, 8> formats = {{
    {"JPEG", jpeg_endings, jpeg_beginnings, make<JpegDecoder>},
    {"PNG", png_endings, png_beginnings, make<PngDecoder>},
    {"WebP", webp_endings, webp_beginnings, make<WebpDecoder>},
    {"BMP", bmp_endings, bmp_beginnings, make<BmpDecoder>},
    {"TIFF", tiff_endings, tiff_beginnings, make<TiffDecoder>},
    {"GIF", gif_endings, gif_beginnings, make<GifDecoder>},
    {"HEIC", heic_endings, heic_beginnings, make<HeifDecoder>},
    {"AVIF", avif_endings, avif_beginnings, make<HeifDecoder>},
}};

// A "?" stands for any byte.
bool begins_with(std::string_view text, std::string_view beginning) {
  return text.size() >= beginning.size() &&
         std::equal(beginning.begin(), beginning.end(), text.begin(),
                    [](char expected, char got) { return expected == '?' || expected == got; });
}

// Formats that are known by sight alone.
struct OtherFormat {
  std::string_view name;
  std::size_t at;
  std::string_view bytes;
};
constexpr std::array<OtherFormat, 5> other_formats = {{
    {"video or another file of MPEG-4's kind", 4, "ftyp"},
    {"PDF document", 0, "%PDF"},
    {"Photoshop file", 0, "8BPS"},
    {"JPEG XL image", 0, {"\0\0\0\x0cJXL ", 8}},
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

const ImageFormat* format_of(std::span<const std::byte> bytes) {
  const std::string_view text = text_of(bytes);
  const auto found = std::ranges::find_if(formats, [text](const ImageFormat& format) {
    return std::ranges::any_of(format.beginnings,
                               [text](std::string_view b) { return begins_with(text, b); });
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
