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

// Reads PREFIX.safetensors and PREFIX.json, builds the formula's weights and compares default boxes,
// matching, inference and training outputs, the first step's gradients, the loss of every step, every tensor
// after the last step, and post-processing. `progress` is told what is being done. Throws Error when a file
// is missing or not such a golden.
VerifyReport verify(const std::filesystem::path& prefix, graph::Device& device,
                    const std::function<void(const std::string&)>& progress = {});

// A table for people; JSON for programs.
std::string to_text(const VerifyReport& report);
std::string to_json(const VerifyReport& report);

}  // namespace ssd
