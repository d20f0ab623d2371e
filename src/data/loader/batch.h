// What the network is fed with: images and compact targets.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "base/tensor.h"

namespace ssd {

// A place in the stream of training samples: `sample` of them are behind in epoch `epoch`.
struct StreamPosition {
  std::uint32_t epoch = 0;
  std::uint64_t sample = 0;  // 0 .. samples in an epoch - 1

  bool operator==(const StreamPosition&) const = default;
};

// One batch of N samples with at most G boxes each. Boxes and labels beyond a sample's own are zero. Batches
// of an evaluation have images only; their other tensors are empty.
struct Batch {
  static constexpr std::uint32_t no_sample = std::numeric_limits<std::uint32_t>::max();

  Tensor images;  // u8 (N, 300, 300, 3): RGB
  Tensor match;   // i32 (N, 8732): the box each default box learns, an index into `boxes`, or -1
  Tensor boxes;   // f32 (N, G, 4): cx, cy, width, height, normalized
  Tensor labels;  // i32 (N, G): 1 .. classes - 1

  std::vector<std::int64_t> image_ids;        // (N) COCO's; -1 where there is no sample
  std::vector<std::uint32_t> sample_indices;  // (N) into Dataset::samples; no_sample where there is none
  int valid = 0;         // slots 0 .. valid - 1 were filled; fewer than N at an evaluation's end
  StreamPosition begin;  // of the first sample of the batch, over all shards
  StreamPosition next;   // of the batch that follows: where to resume
};

}  // namespace ssd
