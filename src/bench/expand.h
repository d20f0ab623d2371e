// A batch in the form that other input pipelines give: for comparing with them. Ours leaves this to the
// graph.
#pragma once

#include <cstddef>

#include "base/tensor.h"
#include "data/loader/batch.h"

namespace ssd {

struct ExpandedBatch {
  Tensor images;   // f32 (N, 3, 300, 300): RGB / 255, less the mean, over the deviation of ImageNet's colours
  Tensor offsets;  // f32 (N, 8732, 4): see expand_sample; zero where no box is matched
  Tensor labels;   // i32 (N, 8732): 0 where no box is matched

  explicit ExpandedBatch(int batch_size);
};

// Fills one slot from the same slot of a training batch. Offsets are those of the matched box (cx, cy, w, h)
// from the default box d: (cx - d.cx) / d.w / 0.1, (cy - d.cy) / d.h / 0.1, log(w / d.w) / 0.2, log(h / d.h)
// / 0.2 (SSD paper, section 2.2).
void expand_sample(const Batch& batch, std::size_t slot, ExpandedBatch& expanded);

}  // namespace ssd
