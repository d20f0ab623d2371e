// COCO's numbers, of a checkpoint or of detections in a file: `eval`, `train --mode evaluation`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cli/data_options.h"
#include "cli/device_options.h"

namespace ssd::cli {

struct EvalOptions {
  DataOptions data;
  DeviceOptions device;
  std::string checkpoint, stride_in, weights_url;  // either these and the data,
  std::string ground_truth, detections;            // or these
  std::string save_detections, json, arrays;
  std::vector<std::size_t> max_detections;  // three; empty: COCO's
  std::int64_t batch = 8;
  int workers = 0;
};

// Prints the numbers and writes what is asked for. Throws UsageError for options that do not go together.
void run_eval(const EvalOptions& options);

}  // namespace ssd::cli
