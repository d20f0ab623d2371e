// A TIFF file in memory, opened by libtiff.
#pragma once

#include <tiffio.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace ssd {

// What libtiff says about it stays here: the first complaint becomes the reason of an Error, warnings are
// passed over.
class TiffFile {
 public:
  TiffFile() = default;
  TiffFile(const TiffFile&) = delete;
  TiffFile& operator=(const TiffFile&) = delete;
  ~TiffFile() { close(); }

  // Reads the first image's directory. `bytes` must stay until the file is closed; no piece of memory that
  // libtiff takes is larger than `largest_piece` and than a megabyte. Throws Error.
  void open(std::span<const std::byte> bytes, std::int64_t largest_piece);
  void close();

  TIFF* handle() const { return file_; }

  // A tag's value, the one that TIFF says it has where it is missing, else `otherwise`.
  template <typename Value>
  Value field(std::uint32_t tag, Value otherwise) const {
    Value value{};
    return TIFFGetFieldDefaulted(file_, tag, &value) != 0 ? value : otherwise;
  }

  // Throws an Error with libtiff's first complaint or, where it had none, with `otherwise`.
  [[noreturn]] void fail(std::string_view otherwise) const;

 private:
  struct Calls;  // libtiff's, which find their way back by the handle that they are given

  std::span<const std::byte> bytes_;
  toff_t at_ = 0;
  TIFF* file_ = nullptr;
  std::array<char, 200> reason_{};
};

}  // namespace ssd
