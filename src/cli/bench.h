// How fast a network trains or infers on synthetic images: `bench train`, `bench infer`, `train --fake-data`.
#pragma once

#include <string>

#include "bench/network_bench.h"
#include "cli/device_options.h"

namespace ssd::cli {

struct NetworkBenchmark {
  BenchmarkOptions benchmark;  // the backbone and the precision are filled in
  DeviceOptions device;
  std::string backbone = "resnet50";
  std::string checkpoint, stride_in;  // of `infer`, in the backbone's place
  // Where the result goes, one JSON line; empty: standard output, where a profile's table takes its place.
  std::string json;
  bool profile = false;  // also time each node
  std::string trace;     // where a trace of what ran when goes; empty: none
};

void run_network_benchmark(NetworkBenchmark options);

// --benchmark-warmup and --benchmark-iterations, of networks.
void add_benchmark_options(CLI::App& command, BenchmarkOptions& options);

}  // namespace ssd::cli
