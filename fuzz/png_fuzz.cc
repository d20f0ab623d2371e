// Any bytes as a PNG file, annotated with any size: as they are, and with the checksums that its chunks
// should have, for else hardly a change would get past them.
#include <zlib.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "image_sample.h"

namespace {

// Behind the signature, each chunk is its data's length, its kind, the data and the checksum of both.
void correct_checksums(std::vector<std::uint8_t>& file) {
  const auto number = [&file](std::size_t at) {
    return std::size_t{file[at]} << 24 | std::size_t{file[at + 1]} << 16 | std::size_t{file[at + 2]} << 8 |
           file[at + 3];
  };
  for (std::size_t at = 8; file.size() >= at + 12;) {
    const std::size_t length = number(at);
    if (length > file.size() - at - 12) return;
    const std::size_t end = at + 8 + length;
    const unsigned long sum = crc32(0, file.data() + at + 4, static_cast<unsigned>(4 + length));
    for (std::size_t i = 0; i < 4; ++i) file[end + i] = static_cast<std::uint8_t>(sum >> (24 - 8 * i));
    at = end + 4;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static ssd::fuzz::Worker worker;
  std::vector<std::uint8_t> input(data, data + size);
  const ssd::fuzz::Annotation annotation = ssd::fuzz::read_annotation(input);
  ssd::fuzz::use_file(std::as_bytes(std::span(input)), annotation, worker);
  correct_checksums(input);
  ssd::fuzz::use_file(std::as_bytes(std::span(input)), annotation, worker);
  return 0;
}
