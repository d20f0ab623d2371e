// Re-estimates batch-norm statistics for weights that have just changed.
#pragma once

#include "base/tensor.h"
#include "data/dataset/dataset.h"
#include "graph/device.h"
#include "model/options.h"

namespace ssd {

struct StatisticsOptions {
  std::int64_t images = 64;  // to look at, rounded up to whole batches
  std::int64_t batch = 8;    // images a replica; at least 2 are taken: one has no variance on the 1x1 map
  int threads = 1;           // that prepare images
  std::uint64_t seed = 0;    // which ones
};

// Running averages lag behind weights that still move: after a short run, or at a high learning rate,
// inference with them is far worse than the weights are. This replaces running_mean and running_var in
// `weights` (by state_dict names) by averages over batches of training images, whole and unaltered, that
// the network sees with the weights as they are (Wu and Johnson, "Rethinking 'Batch' in BatchNorm", 2021,
// section 3). With several replicas each looks at its own images, and all count.
void reestimate_batch_norm(TensorMap& weights, graph::Device& device, const model::ModelOptions& model,
                           const Dataset& dataset, const StatisticsOptions& options);

}  // namespace ssd
