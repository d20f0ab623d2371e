// Checks a device, and everything around it, against golden values that PyTorch computed.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "graph/device.h"
#include "model/options.h"

namespace ssd {

// One compared quantity. It holds when the largest error is at most the tolerance.
struct VerifyRow {
  std::string quantity;  // "gradient norm"
  double error = 0;      // NaN never holds
  double tolerance = 0;
  std::string where;  // what has the largest error: a tensor, a step, an image

  bool ok() const { return error <= tolerance; }
};

struct VerifyReport {
  model::Backbone backbone{};
  std::string arithmetic;  // of the golden values: "float64"
  std::vector<VerifyRow> rows;

  bool ok() const;
};

struct VerifyOptions {
  DType compute = DType::f32;  // of the convolutions; bf16 has its own tolerances, below
  std::function<void(const std::string&)> progress;  // is told what is being done
};

// Reads PREFIX.safetensors and PREFIX.json, builds the formula's weights and compares default boxes,
// matching, inference and training outputs, the first step's gradients, the loss of every step, every tensor
// after the last step, and post-processing. Throws Error when a file is missing or not such a golden.
//
// The golden's tolerances are for f32. In bf16 every layer rounds its operands by up to u = 2^-9 of
// themselves, batch norms of the golden's four images magnify that where a map is small (four values a
// channel on 1x1), and hard negatives that nearly tie change places. Tolerances are at least twice what XLA's
// CPU compiler differs by in bf16 from the float64 golden (ResNet-18 / ResNet-50), with the lowering for TPUs
// as with that for GPUs: inference outputs 20 u of the largest (0.014 / 0.011), training outputs 128 u
// (0.019 / 0.11), any gradient's norm 384 u (0.11 / 0.37) and first values 256 u (0.10 / 0.25), the median of
// the norms 25 u (0.006 / 0.016), losses 5 u (0.0003 / 0.0001), running statistics 10 u (0.0035), weights
// 1e-3 (4e-5). Inference, losses and the median are the sharp ones. Default boxes, matching, positives and
// detections do not depend on the precision.
VerifyReport verify(const std::filesystem::path& prefix, graph::Device& device,
                    const VerifyOptions& options = {});

// A table for people; JSON for programs.
std::string to_text(const VerifyReport& report);
std::string to_json(const VerifyReport& report);

}  // namespace ssd
