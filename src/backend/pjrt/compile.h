// Compiling for a TPU or a GPU without having one: what the step will cost and whether it fits.
#pragma once

#include <string>

#include "backend/pjrt/hlo.h"
#include "backend/stablehlo/lower.h"

namespace ssd::pjrt {

struct CompileReport {
  std::string target;       // "v5e:2x2", "h100:8"
  std::string device_kind;  // "TPU v5 lite"
  int devices = 0;          // of the topology
  int replicas = 0;         // of the program
  std::string plugin;       // path and API version of the compiler
  double compile_seconds = 0;

  // The compiler's estimate of one run, on one core. Some compilers give a negative `seconds` for new kinds:
  // read module.cycles then. GPUs' give none, so all three are 0.
  double seconds = 0;
  double flops = 0;
  double bytes = 0;  // moved to and from memory

  // Memory of one core.
  std::int64_t argument_bytes = 0, output_bytes = 0, alias_bytes = 0, temporary_bytes = 0, code_bytes = 0;
  std::int64_t memory_bytes = 0;  // arguments + outputs - aliases + temporaries + code
  std::int64_t memory_limit = 0;  // of the device kind; 0: unknown
  bool fits = false;
  std::string problem;  // what the compiler said, where the program does not fit

  ModuleSummary module;
  std::string optimized;   // a serialized HloModuleProtoWithConfig
  std::string executable;  // serialized; empty where the plugin cannot
};

struct CompileOptions {
  std::string plugin;  // path; empty: find_plugin("tpu"), or "cuda" for GPUs
};

// What a step for a target such as "v3:2x2" (eight cores) or "h100:8" is to be: data-parallel on so many
// devices, and lowered as suits them.
struct StepTarget {
  int devices = 0;
  stablehlo::Target lowered_for = stablehlo::Target::tpu;
};
StepTarget step_target(const std::string& name, const CompileOptions& options = {});

// Compiles StableHLO text (mhlo.num_replicas says for how many replicas) for a target. A program that needs
// more memory than a core has is reported as not fitting; any other refusal throws Error.
CompileReport compile_for_topology(const std::string& target, const std::string& program,
                                   const CompileOptions& options = {});

}  // namespace ssd::pjrt
