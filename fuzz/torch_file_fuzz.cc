// Any bytes as a torch.save file, and as the pickle in one (which a checksum guards in the file): an Error,
// or dense tensors.
#include <cstdint>
#include <span>

#include "base/error.h"
#include "weights/pickle.h"
#include "weights/torch_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  try {
    ssd::read_torch_file(bytes, "fuzz");
  } catch (const ssd::Error&) {
  }
  try {
    ssd::read_torch_progress(bytes, "fuzz");
  } catch (const ssd::Error&) {
  }
  try {
    ssd::pickle::parse(bytes, "fuzz");
  } catch (const ssd::Error&) {
  }
  return 0;
}
