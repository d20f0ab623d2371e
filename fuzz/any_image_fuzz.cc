// Any bytes as an image file of the format that their beginning tells, annotated with any size.
#include <cstddef>
#include <cstdint>
#include <span>

#include "image/image_limits.h"
#include "image_sample.h"

// dav1d 1.0, behind libheif, keeps 40 bytes of some damaged AVIF files.
extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() { return "leak:libdav1d.so"; }

// Of larger images a fuzzer would make a few a second, and find nothing else in them.
extern "C" int LLVMFuzzerInitialize(int*, char***) {
  ssd::set_max_image_pixels(1 << 20);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static ssd::fuzz::Worker worker;
  const std::span input(data, size);
  ssd::fuzz::use_file(std::as_bytes(input), ssd::fuzz::read_annotation(input), worker);
  return 0;
}
