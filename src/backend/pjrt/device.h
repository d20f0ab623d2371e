// TPUs, GPUs and whatever else has a PJRT plugin, as a device that runs graphs.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "backend/pjrt/program_cache.h"
#include "backend/stablehlo/lower.h"
#include "base/communicator.h"
#include "base/key_values.h"
#include "graph/device.h"

namespace ssd::pjrt {

struct DeviceOptions {
  std::string device;  // "tpu", "cuda" or "pjrt:PATH" (plugins.h says where plugins are looked for)
  int replicas = 0;    // devices of this process to use, the plugin's first ones; 0: all, of a CPU plugin 1
  int cpu_devices =
      0;          // devices that a CPU plugin shall make up (its option cpu_device_count); 0: as it likes
  int depth = 3;  // steps in flight
  double memory_fraction = 0;  // of a GPU's memory that may be taken; 0: as the plugin likes
  bool preallocate = true;     // take a GPU's memory at the start, not as it is needed
  std::string cache_folder = ProgramCache::default_folder();  // of compiled programs; empty: none
  std::optional<stablehlo::Target>
      lower_for;  // programs as for these, on any plugin; else as the plugin's platform says
  // Processes whose devices run in step with this one's, and by what their clients find each other; both
  // outlive the device. Null, or of one process: this one is alone.
  Communicator* communicator = nullptr;
  KeyValues* values = nullptr;
};

// One process drives all replicas. Each keeps the parameters on its device; start() sends each its share of
// the inputs and queues the step, finish() waits for the oldest step. After a step that failed, parameters
// must be loaded again: they were given to the device. Throws Error when no plugin is found, when it does not
// start, when it is for another kind of device, when it has fewer devices than asked for, or when options of
// a GPU are given for something else.
//
// Of several processes each calls this, and compiles and starts a graph of all replicas when the others do.
// Such a graph's program names the devices of all, rank 0's first; inputs, outputs and parameters are this
// process's own. A graph of this process's replicas knows nothing of the others. Throws Error, too, where the
// plugin joins no processes or other ones than were started (hosts.h).
//
// Weights of inference in bf16 are rounded once, when they are loaded; save() then returns them rounded.
std::unique_ptr<graph::Device> make_device(const DeviceOptions& options);

}  // namespace ssd::pjrt
