// A checkpoint's state.json: any bytes are read or refused, and what is read can be written and is the same.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "base/error.h"
#include "train/run_state.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const ssd::RunState state =
        ssd::parse_run_state({reinterpret_cast<const char*>(data), size}, "fuzz.json");
    if (state.sample >= state.samples || state.step < 0 || state.images_per_step < 1) std::abort();
    if (static_cast<std::int64_t>(state.categories.size()) + 1 != state.model.classes) std::abort();
    const std::string text = ssd::to_json(state);
    if (ssd::to_json(ssd::parse_run_state(text, "again.json")) != text) std::abort();
  } catch (const ssd::Error&) {
  }
  return 0;
}
