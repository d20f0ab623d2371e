// Any bytes as a file of numpy.savez: an Error, or arrays as long as their shapes say.
#include <cstdint>
#include <span>

#include "base/error.h"
#include "weights/npz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    ssd::parse_npz(std::as_bytes(std::span(data, size)), "fuzz");
  } catch (const ssd::Error&) {
  }
  return 0;
}
