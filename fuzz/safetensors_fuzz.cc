// Any bytes as a safetensors file: an Error, or views that lie inside the bytes.
#include <cstdint>
#include <span>

#include "base/error.h"
#include "weights/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const auto content = ssd::parse_safetensors(std::as_bytes(std::span(data, size)), "fuzz");
    for (const auto& [name, view] : content.tensors) ssd::Tensor::copy_of(view);  // touches every element
  } catch (const ssd::Error&) {
  }
  return 0;
}
