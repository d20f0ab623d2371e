#include "backend/pjrt/gpu_target.h"

#include <fmt/format.h>

#include <charconv>

#include "base/error.h"

namespace ssd::pjrt {
namespace {

struct Kind {
  const char* name;
  const char* description;
  int capability;                          // CUDA's compute capability, its major number
  int cores;                               // streaming multiprocessors
  int units;                               // f32 units of each
  double clock;                            // GHz
  std::int64_t bandwidth, memory, cache;   // bytes a second, bytes, bytes of the second level
  std::int64_t shared_core, shared_block;  // bytes of shared memory, of a multiprocessor and of a block
  bool accelerated;                        // has instructions of its own architecture ("sm_90a")
};
constexpr Kind kinds[] = {
    {"a100", "NVIDIA A100-SXM4-80GB", 8, 108, 64, 1.41, 2'039'040'000'000, 85'100'068'864, 41'943'040,
     167'936, 166'912, false},
    {"h100", "NVIDIA H100 80GB HBM3", 9, 132, 128, 1.98, 3'352'320'000'000, 84'942'979'072, 52'428'800,
     233'472, 232'448, true},
    {"h200", "NVIDIA H200 141GB HBM3e", 9, 132, 128, 1.98, 4'800'000'000'000, 151'397'597'184, 52'428'800,
     233'472, 232'448, true},
    {"b200", "NVIDIA B200", 10, 148, 128, 1.965, 7'672'320'000'000, 191'514'411'008, 132'644'864, 233'472,
     232'448, true},
};

// A GpuTargetConfigProto as text.
std::string description_of(const Kind& kind) {
  return fmt::format(
      "gpu_device_info {{ threads_per_block_limit: 1024 threads_per_warp: 32 shared_memory_per_block: 49152 "
      "shared_memory_per_core: {} threads_per_core_limit: 2048 core_count: {} fpus_per_core: {} "
      "block_dim_limit_x: 2147483647 block_dim_limit_y: 65535 block_dim_limit_z: 65535 "
      "memory_bandwidth: {} l2_cache_size: {} clock_rate_ghz: {} device_memory_size: {} "
      "shared_memory_per_block_optin: {} cuda_compute_capability {{ major: {} feature_extension: {} }} "
      "registers_per_core_limit: 65536 registers_per_block_limit: 65536 thread_dim_limit_x: 1024 "
      "thread_dim_limit_y: 1024 thread_dim_limit_z: 64 }} platform_name: \"CUDA\" "
      "dnn_version_info {{ major: 9 minor: 10 }} runtime_version {{ major: 13 }} "
      "device_description_str: \"{}\"",
      kind.shared_core, kind.cores, kind.units, kind.bandwidth, kind.cache, kind.clock, kind.memory,
      kind.shared_block, kind.capability, kind.accelerated ? "ACCELERATED_FEATURES" : "NONE",
      kind.description);
}

int devices_of(const std::string& target, const std::string& number) {
  int devices = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), devices);
  if (error != std::errc() || end != number.data() + number.size() || devices < 1 || devices > 1024)
    throw Error("--target {}: got '{}' GPUs, expected 1 to 1024", target, number);
  return devices;
}

}  // namespace

std::optional<GpuTarget> gpu_target(const std::string& name) {
  const std::size_t colon = name.find(':');
  for (const Kind& kind : kinds) {
    if (name.substr(0, colon) != kind.name) continue;
    const int devices = colon == std::string::npos ? 1 : devices_of(name, name.substr(colon + 1));
    return GpuTarget{
        .kind = kind.description,
        .devices = devices,
        .memory = kind.memory,
        .topology = {{"topology", fmt::format("1x1x{}", devices)}, {"target_config", description_of(kind)}}};
  }
  return std::nullopt;
}

}  // namespace ssd::pjrt
