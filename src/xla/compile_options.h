// The compiler's options, as PJRT wants them: serialized messages of OpenXLA
// (xla/pjrt/proto/compile_options.proto).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace ssd::xla {

// A CompileOptionsProto for a program of one replica a device, on the devices with these ids, in their order.
std::string compile_options(const std::vector<std::int64_t>& device_ids);

}  // namespace ssd::xla
