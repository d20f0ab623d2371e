// The CPU as a device: convolutions by oneDNN, everything else by kernels of our own.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "base/communicator.h"
#include "graph/device.h"

namespace ssd::cpu {

struct CpuOptions {
  int threads = 0;  // 0: all processors this process may run on
  // The processes whose CPUs are replicas of each other; outlives the device. Null: this one is alone.
  Communicator* communicator = nullptr;
};

// A device of one replica a process that computes in f32. Throws Error when options.threads is negative.
std::unique_ptr<graph::Device> make_device(const CpuOptions& options = {});

// Its libraries and instructions; processes that train together need the same.
std::string arithmetic();

}  // namespace ssd::cpu
