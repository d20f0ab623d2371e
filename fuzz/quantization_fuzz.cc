// A quantised checkpoint's quantization.json: any bytes are read or refused, and what is read can be written
// and is the same.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "base/error.h"
#include "detect/quantization.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ssd::model::ModelOptions model{.backbone = ssd::model::Backbone::resnet18};
  try {
    const ssd::Quantization read =
        ssd::parse_quantization({reinterpret_cast<const char*>(data), size}, model, "fuzz.json");
    for (const auto& [name, scale] : read.activation_scales)
      if (!(scale > 0)) std::abort();
    const std::string text = ssd::to_json(read);
    if (ssd::to_json(ssd::parse_quantization(text, model, "again.json")) != text) std::abort();
  } catch (const ssd::Error&) {
  }
  return 0;
}
