#include <algorithm>
#include <cstdlib>

#include "base/error.h"
#include "image/bmp.h"

namespace ssd {
namespace {

constexpr std::size_t file_header_bytes = 14;
constexpr std::size_t core_header_bytes = 12;  // OS/2's first, with sizes of two bytes
constexpr std::size_t info_header_bytes = 40;

// Little-endian numbers, checked against the end.
class Reader {
 public:
  explicit Reader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  std::uint32_t u16(std::size_t at) const { return number(at, 2); }
  std::uint32_t u32(std::size_t at) const { return number(at, 4); }

 private:
  std::uint32_t number(std::size_t at, std::size_t size) const {
    if (at > bytes_.size() || bytes_.size() - at < size) {
      throw Error("BMP data: got {} bytes, expected a header and pixels behind them; replace the file",
                  bytes_.size());
    }
    std::uint32_t value = 0;
    for (std::size_t i = size; i-- > 0;) value = value << 8 | std::to_integer<std::uint32_t>(bytes_[at + i]);
    return value;
  }

  std::span<const std::byte> bytes_;
};

enum Compression : std::uint32_t {
  bi_rgb = 0,
  bi_rle8 = 1,
  bi_rle4 = 2,
  bi_bitfields = 3,
  bi_alphabitfields = 6
};

void check_kind(const BmpHeader& header, std::uint32_t compression) {
  const int bits = header.bits;
  const bool has_palette = bits == 1 || bits == 4 || bits == 8;
  if (!has_palette && bits != 16 && bits != 24 && bits != 32)
    throw Error("BMP colours: got {} bits a pixel, expected 1, 4, 8, 16, 24 or 32; save the image anew",
                bits);
  const bool fits = compression == bi_rgb || (compression == bi_rle8 && bits == 8) ||
                    (compression == bi_rle4 && bits == 4) ||
                    ((compression == bi_bitfields || compression == bi_alphabitfields) && bits >= 16);
  if (!fits) {
    throw Error(
        "BMP compression: got method {} with {} bits a pixel, expected none, run lengths of 4 or 8 bits, or "
        "masks "
        "of 16 to 32; save the image anew",
        compression, bits);
  }
}

// Where there are none in the file: 5 bits a component, or bytes.
void set_masks(BmpHeader& header, const Reader& reader, std::uint32_t compression, std::size_t header_bytes) {
  if (compression != bi_bitfields && compression != bi_alphabitfields) {
    header.masks = header.bits == 16 ? std::array<std::uint32_t, 4>{0x7c00, 0x3e0, 0x1f, 0}
                                     : std::array<std::uint32_t, 4>{0xff0000, 0xff00, 0xff, 0};
    return;
  }
  constexpr std::size_t masks_at = file_header_bytes + info_header_bytes;
  constexpr std::size_t with_alpha = info_header_bytes + 16;
  const std::size_t count = compression == bi_alphabitfields || header_bytes >= with_alpha ? 4 : 3;
  for (std::size_t i = 0; i < count; ++i) header.masks[i] = reader.u32(masks_at + 4 * i);
  // Some programs write none at all and mean this.
  if (header.bits == 32 && header.masks == std::array<std::uint32_t, 4>{})
    header.masks = {0xff0000, 0xff00, 0xff, 0xff000000};
  if (header_bytes == info_header_bytes) header.palette_at += 4 * count;
}

}  // namespace

BmpHeader read_bmp_header(std::span<const std::byte> bytes) {
  const Reader reader(bytes);
  BmpHeader header;
  const std::size_t size = reader.u32(file_header_bytes);
  constexpr std::array<std::size_t, 7> sizes = {12, 40, 52, 56, 64, 108, 124};
  if (std::ranges::find(sizes, size) == sizes.end())
    throw Error("BMP data: got a header of {} bytes, expected 12, 40 to 64, 108 or 124; save the image anew",
                size);
  std::uint32_t compression = bi_rgb;
  header.palette_at = file_header_bytes + size;
  std::int64_t height = 0;
  if (size == core_header_bytes) {
    header.width = static_cast<int>(reader.u16(18));
    height = reader.u16(20);
    header.bits = static_cast<int>(reader.u16(24));
    header.palette_step = 3;
  } else {
    header.width = static_cast<std::int32_t>(reader.u32(18));
    height = static_cast<std::int32_t>(reader.u32(22));
    header.bits = static_cast<int>(reader.u16(28));
    compression = reader.u32(30);
    header.palette_entries = reader.u32(46);
  }
  header.top_down = height < 0;
  // Of INT_MIN too, whose negative an int cannot hold: it is then beyond every limit.
  header.height = static_cast<int>(std::min<std::int64_t>(std::abs(height), INT32_MAX));
  check_kind(header, compression);
  if (compression == bi_rle8) header.packing = BmpHeader::Packing::rle8;
  if (compression == bi_rle4) header.packing = BmpHeader::Packing::rle4;
  if (header.bits > 8) set_masks(header, reader, compression, size);
  const std::size_t most = header.bits <= 8 ? std::size_t{1} << header.bits : 0;
  // Behind a longer palette than the bits can tell apart the pixels begin where the header says.
  if (header.palette_entries == 0) header.palette_entries = most;
  const std::size_t stated = reader.u32(10);
  // Some programs forget the palette where they say where the pixels are.
  header.pixels_at = stated;
  if (stated == 0 || (header.bits <= 8 && stated == file_header_bytes + size))
    header.pixels_at =
        header.palette_at + (header.bits <= 8 ? header.palette_step * header.palette_entries : 0);
  header.palette_entries = std::min(header.palette_entries, most);
  return header;
}

}  // namespace ssd
