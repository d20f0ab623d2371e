// How fast a device trains or infers, apart from any data: synthetic batches, all in memory.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "graph/device.h"
#include "model/options.h"

namespace ssd {

enum class BenchmarkMode { train, infer };

struct BenchmarkOptions {
  BenchmarkMode mode = BenchmarkMode::train;
  model::ModelOptions model;
  std::int64_t batch = 8;    // images a replica
  int batch_norm_group = 1;  // replicas that share batch-norm statistics in training
  int warmup = 2;
  int iterations = 10;
};

struct BenchmarkResult {
  std::vector<double> images_per_s;  // of each counted iteration, over all replicas
  double flops_per_image = 0;

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
