// --device and what goes with it, the same for every command that runs a network.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "graph/device.h"

namespace ssd::cli {

struct DeviceOptions {
  std::string device = "cpu";  // cpu, tpu, cuda, pjrt:PATH
  int threads = 0;             // of the CPU; 0: all
  int replicas = 0;            // devices to use; 0: all
  int cpu_devices = 0;         // that a CPU plugin shall make up
  double memory_fraction = 0;  // of a GPU that may be taken; 0: its plugin's default
  bool preallocate = true;     // a GPU's memory, at the start
  std::string precision = "f32";
};

void add_device_options(CLI::App& command, DeviceOptions& options);
// --precision and --amp.
void add_precision_options(CLI::App& command, DeviceOptions& options);

// Throws UsageError for an unknown device and for options that it does not have, Error when it does not start
// or cannot compute in the precision.
// Devices of several processes run in step.
std::unique_ptr<graph::Device> make_device(const DeviceOptions& options);
// The same for what each process does by itself: the other processes' devices are not joined.
std::unique_ptr<graph::Device> make_own_device(const DeviceOptions& options);
DType precision_of(const DeviceOptions& options);

// Threads for images: `asked`, or, where it is 0, what suits the device: the CPU is needed for the network
// itself.
int image_threads(const DeviceOptions& options, int asked);

}  // namespace ssd::cli
