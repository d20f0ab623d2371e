// Checks what an exported network gave in another runtime against the network that was exported.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/tensor.h"
#include "detect/detector.h"
#include "detect/trained_model.h"
#include "graph/device.h"
#include "verify/verify.h"

namespace ssd {

// The outputs of an exported file by the names that it gives them (docs/export.md), for N images: `loc` and
// `conf` (N,8732,K) or (N,K,8732), K = 4 and C; or `boxes` (N,8732,4) and `scores` (N,8732,C); or `boxes`
// (N,T,4), `scores` (N,T), `labels` (N,T) and `count` (N). Beside them there may be `images`, the file's
// input.
struct ExportedOutputs {
  std::string name;  // for errors
  TensorMap arrays;

  bool has_images() const { return arrays.contains("images"); }
  bool has_detections() const { return arrays.contains("count"); }
  // `images` as bytes, u8 (N,300,300,3); they are that already, or f32 (N,3,300,300) in 0..1. Throws Error
  // for others.
  Tensor images() const;
};

struct ExportedOptions {
  DType precision = DType::f32;  // of the exported convolutions
  DetectorOptions detector;      // that detections were exported with; `total` is taken from the outputs
  std::int64_t batch = 8;
  std::function<void(std::int64_t done, std::int64_t of)> progress;  // images
};

// Runs the network in f32 on images u8 (N,300,300,3). A row for each output: the largest difference as a
// share of the range of the network's own values, which may be 1e-4 in f32, 5e-3 in f16 and 4e-2 in bf16 (20
// units in the last place of either). Of detections one row, the share of the network's that are missing, or
// of others that are there instead, which may be 1 %: one is there if its label is the same, its score within
// 1e-4 and its box within 1e-3 of the image (in f16 and bf16: the share above, and ten times that). Throws
// Error for outputs of other names or shapes and where neither side has a detection.
VerifyReport verify_exported(const ExportedOutputs& outputs, const Tensor& images, graph::Device& device,
                             const TrainedModel& network, const ExportedOptions& options);

// What to know where boxes, scores or detections differ: how far rounding alone may move the scores of a
// network whose logits are large, as those of one that was hardly trained are. Empty where that is within
// their tolerance.
std::string rounding_note(float least_logit, float most_logit);

// A row for the images that somebody else prepared, beside our own of the same files: the largest difference
// in levels (0..255), which may be 1. Throws Error where their numbers differ.
VerifyRow compare_images(const Tensor& theirs, const Tensor& ours);

}  // namespace ssd
