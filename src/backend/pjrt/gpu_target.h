// GPUs by name, described well enough for XLA to compile for one that is not there.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "backend/pjrt/pjrt.h"

namespace ssd::pjrt {

// One host's GPUs of one kind.
struct GpuTarget {
  std::string kind;  // "NVIDIA H100 80GB HBM3"
  int devices = 1;
  std::int64_t memory = 0;  // bytes of one
  CreateOptions topology;   // what PJRT_TopologyDescription_Create takes in the place of a device
};

// "h100", or "h100:8" for eight of them; nothing for names that are no GPU's. Throws Error for a number of
// devices that is none. Figures are those that OpenXLA keeps for these kinds
// (xla/backends/gpu/target_config/specs).
std::optional<GpuTarget> gpu_target(const std::string& name);

}  // namespace ssd::pjrt
