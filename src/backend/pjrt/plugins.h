// Which PJRT plugins this machine has, and where.
#pragma once

#include <string>
#include <vector>

#include "backend/pjrt/pjrt.h"

namespace ssd::pjrt {

// The plugin library for `device`, as an absolute path: "tpu", "cuda", or "pjrt:PATH". The first two are
// looked for in, in this order, $SINGLESHOT_PJRT_PLUGIN (a path), $PJRT_NAMES_AND_LIBRARY_PATHS
// (name:path,name:path), for tpu $TPU_LIBRARY_PATH, and the wheels of libtpu and jax-cuda-pjrt: unpacked in
// .deps/pjrt beside the program or above it, in the active virtual environment, and in the site-packages of
// every python3 on PATH, of the user and of the system. Of CUDA plugins, one with NVIDIA's libraries beside
// it is preferred. Throws Error that lists every place tried, or names the variable that names a file which
// is not there.
std::string find_plugin(const std::string& device);

// Sets what a plugin reads from the environment while it is loaded and the user has not set: no greetings on
// standard error, no waiting for a metadata server and no lock file on machines without TPU. For the CUDA
// plugin, also loads NVIDIA's libraries and names the CUDA toolkit, where they come as wheels (nvidia.h).
void prepare_environment(const std::string& plugin);

// Whether this machine shows a TPU to its processes.
bool has_tpu();

struct PluginInfo {
  std::string device;  // what to give as --device: "tpu", "cuda", "pjrt:PATH"
  std::string path;
  std::string api;       // "0.81"; empty where the library cannot be loaded
  std::string platform;  // "tpu", "cuda", "cpu"
  std::string version;   // of the platform, its first line
  std::vector<DeviceInfo> devices;
  std::string problem;  // why it cannot be used; empty when it can
};

// Every plugin found, started as far as it goes. Never throws for a plugin that fails.
std::vector<PluginInfo> list_plugins();

}  // namespace ssd::pjrt
