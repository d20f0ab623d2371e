// The compiler's options, as PJRT wants them: serialized messages of OpenXLA
// (xla/pjrt/proto/compile_options.proto).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "backend/stablehlo/lower.h"

namespace ssd::pjrt {

// A CompileOptionsProto for a program of one replica a device, on the devices with these ids, in their order.
// For GPUs a value rounded to bf16 is rounded: XLA would else keep the f32 beside it for later users, and
// move both through memory.
std::string compile_options(const std::vector<std::int64_t>& device_ids,
                            stablehlo::Target target = stablehlo::Target::tpu);

}  // namespace ssd::pjrt
