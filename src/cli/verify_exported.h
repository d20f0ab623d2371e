// What `singleshot verify` does with the outputs of an exported file.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/device_options.h"
#include "verify/exported_outputs.h"

namespace ssd::cli {

struct VerifyExportedOptions {
  std::string outputs, checkpoint, stride_in, weights_url, json;
  std::string precision = "f32";  // of the exported file
  std::vector<std::string> images;
  DetectorOptions detector;  // that was exported with nms
  DeviceOptions device;
};

// --exported-outputs and what goes with it.
void add_verify_exported_options(CLI::App& command, VerifyExportedOptions& options);
// The names of all of them but --exported-outputs, which would do nothing without it.
std::vector<const char*> verify_exported_option_names();

// Throws UsageError where options are missing or would do nothing.
void verify_exported_outputs(const CLI::App& command, const VerifyExportedOptions& options, Session& session);

}  // namespace ssd::cli
