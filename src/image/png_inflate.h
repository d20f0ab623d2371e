// The pixels of a PNG file, inflated at once.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

struct libdeflate_decompressor;

namespace ssd {

// Makes of a PNG file one whose pixels stand uncompressed, so that libpng has no more to do than to undo the
// filters and to convert: libdeflate inflates faster than zlib, which libpng asks row by row. Keeps its
// memory in between. One a thread.
class InflatedPng {
 public:
  InflatedPng();
  ~InflatedPng();

  // `row_bytes`: of a row of `height` as it is filtered, without the byte that names the filter. `file` must
  // stay as long as it is read. False for pixels that are damaged, too few or too many, and where memory is
  // short: libpng, given the file itself, knows what to say of it.
  bool inflate(std::span<const std::byte> file, std::size_t row_bytes, std::size_t height);

  // Copies the next bytes of the uncompressed file, which ends with its pixels; its checksums are not
  // computed. False where there are not so many.
  bool read(std::byte* to, std::size_t count);

 private:
  struct Free {
    void operator()(libdeflate_decompressor* decompressor) const;
  };

  bool gather(std::span<const std::byte> file);
  void lay_out();

  std::unique_ptr<libdeflate_decompressor, Free> decompressor_;
  std::span<const std::byte> header_;           // the file up to its first IDAT
  std::vector<std::byte> compressed_, pixels_;  // of all IDATs; filtered rows
  std::vector<std::byte> frame_;                // what stands around the pixels
  std::vector<std::span<const std::byte>> pieces_;
  std::size_t piece_ = 0, at_ = 0;  // of the next byte to read
};

}  // namespace ssd
