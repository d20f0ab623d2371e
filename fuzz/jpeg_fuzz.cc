// Any bytes as an image file (the seeds are JPEG), annotated with any size, and as the pixels of a raw
// record.
#include <cstddef>
#include <cstdint>
#include <span>

#include "image_sample.h"

namespace ssd::fuzz {
namespace {

// Raw records fit their size: the cache refuses others when it is opened.
void use_raw(std::span<const std::byte> bytes, const Annotation& annotation, Worker& worker) {
  const std::size_t width = static_cast<std::size_t>(annotation.width), height = bytes.size() / 3 / width;
  if (height == 0) return;
  use({ImageSource::Encoding::raw, bytes.first(3 * width * height), annotation.width,
       static_cast<int>(height)},
      annotation.box, worker);
}

}  // namespace
}  // namespace ssd::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static ssd::fuzz::Worker worker;
  const std::span<const std::uint8_t> input(data, size);
  const ssd::fuzz::Annotation annotation = ssd::fuzz::read_annotation(input);
  ssd::fuzz::use_file(std::as_bytes(input), annotation, worker);
  ssd::fuzz::use_raw(std::as_bytes(input), annotation, worker);
  return 0;
}
