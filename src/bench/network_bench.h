// How fast a device trains or infers, apart from any data: synthetic batches, all in memory.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/tensor.h"
#include "base/trace.h"
#include "graph/device.h"
#include "model/options.h"

namespace ssd {

enum class BenchmarkMode { train, infer };

struct BenchmarkOptions {
  BenchmarkMode mode = BenchmarkMode::train;
  model::ModelOptions model;
  const TensorMap* weights = nullptr;  // infer: by state_dict names; null: made up by a formula
  std::int64_t batch = 8;              // images a replica
  int batch_norm_group = 1;            // replicas that share batch-norm statistics in training
  int warmup = 2;
  int iterations = 10;
  // Where not null: what the first `traced_iterations` counted ones did and when, as far as the device tells.
  Trace* trace = nullptr;
};
// More would make files that no viewer shows well.
inline constexpr int traced_iterations = 20;

struct BenchmarkResult {
  std::vector<double> images_per_s;  // of each counted iteration, over all replicas
  double flops_per_image = 0;
  double seconds = 0;                  // of all counted iterations together
  std::vector<graph::NodeTime> nodes;  // over these iterations; empty where the device does not tell

  double average() const;  // images over seconds of all iterations together
  double minimum() const;
  double median() const;
  double maximum() const;
};

// Runs warm-up and counted iterations. Training reads each step's loss; inference leaves its outputs,
// hundreds of megabytes a batch, on the device. `progress` is told how many of all are done.
BenchmarkResult benchmark(graph::Device& device, const BenchmarkOptions& options,
                          const std::function<void(int done, int of)>& progress = {});

}  // namespace ssd
