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
  std::string note;  // what else there is to know of rows that fell short; empty: nothing

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
// channel on 1x1), hard negatives that nearly tie change places, and every update magnifies what the steps
// before have left: after five, PyTorch's autocast is 0.005 from the golden's loss of ResNet-50, and its
// running statistics 0.01. Tolerances are about twice what PJRT's CPU plugins differ by from the float64
// golden, over two versions, AVX2 and AVX-512, the lowering for TPUs and that for GPUs (ResNet-18 /
// ResNet-50): inference outputs 20 u of the largest (0.014 / 0.012), training outputs 128 u (0.020 / 0.11),
// any gradient's norm 460 u (0.11 / 0.45) and first values 345 u (0.12 / 0.34), the median of the norms 25 u
// (0.007 / 0.017), the first step's loss 1 u (0.0001 / 0.0004), later ones 10 u (0.0003 / 0.0096), running
// statistics 52 u (0.0035 / 0.050), weights 3e-3 (4e-5 / 1.3e-3). Inference, the first loss and the median
// are the sharp ones. Default boxes, matching, positives and detections do not depend on the precision.
VerifyReport verify(const std::filesystem::path& prefix, graph::Device& device,
                    const VerifyOptions& options = {});

// A table for people; JSON for programs.
std::string to_text(const VerifyReport& report);
std::string to_json(const VerifyReport& report);

}  // namespace ssd
