// A CPU plugin for tests, where scripts/setup has put one.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>

#include "backend/pjrt/device.h"

namespace ssd::pjrt {

// A CPU plugin that scripts/setup installs; empty where there is none.
inline std::string cpu_plugin() {
  for (const char* name :
       {"lammps_jax_pjrt_cpu/pjrt_c_api_cpu_plugin.so", "xla_plugins/xla_cpu_pjrt/xla_cpu_pjrt.so"}) {
    const std::filesystem::path path = std::filesystem::path(SSD_SOURCE_DIR) / ".deps/pjrt" / name;
    if (std::filesystem::exists(path)) return path;
  }
  return "";
}

#define SSD_NEEDS_CPU_PLUGIN()           \
  if (::ssd::pjrt::cpu_plugin().empty()) \
  GTEST_SKIP() << "no PJRT CPU plugin under .deps/pjrt: run scripts/setup"

inline std::unique_ptr<graph::Device> cpu_device(int replicas = 1,
                                                 stablehlo::Target target = stablehlo::Target::tpu) {
  return make_device({.device = "pjrt:" + cpu_plugin(),
                      .replicas = replicas,
                      .cpu_devices = replicas,
                      .cache_folder = "",
                      .lower_for = target});
}

}  // namespace ssd::pjrt
