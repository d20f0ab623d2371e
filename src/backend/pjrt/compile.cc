#include "backend/pjrt/compile.h"

#include <fmt/format.h>

#include <chrono>
#include <cstdlib>
#include <numeric>

#include "backend/pjrt/compile_options.h"
#include "backend/pjrt/gpu_target.h"
#include "backend/pjrt/pjrt.h"
#include "backend/pjrt/plugins.h"
#include "base/error.h"

namespace ssd::pjrt {
namespace {

// What a target is compiled for, and by.
struct Compiler {
  std::optional<GpuTarget> gpu;
  std::shared_ptr<const Plugin> plugin;
  Topology topology;
};

Compiler compiler_for(const std::string& target, const CompileOptions& options) {
  std::optional<GpuTarget> gpu = gpu_target(target);
  const std::string path = options.plugin.empty() ? find_plugin(gpu ? "cuda" : "tpu") : options.plugin;
  prepare_environment(path);
  const auto plugin = Plugin::load(path);
  return {gpu, plugin,
          gpu ? Topology::create(plugin, gpu->kind, gpu->topology) : Topology::create(plugin, target)};
}

// High-bandwidth memory of one core, as Cloud TPU documents its kinds.
std::int64_t memory_of(const std::string& kind) {
  struct Memory {
    const char* kind;
    std::int64_t gigabytes;
  };
  constexpr Memory known[] = {{"TPU v2", 8},   {"TPU v3", 16}, {"TPU v4", 32},      {"TPU v5 lite", 16},
                              {"TPU v5e", 16}, {"TPU v5", 95}, {"TPU v6 lite", 32}, {"TPU v6e", 32}};
  for (const Memory& memory : known)
    if (kind == memory.kind) return memory.gigabytes << 30;
  return 0;
}

// The number after mhlo.num_replicas; 1 where the program does not say.
int replicas_of(const std::string& program) {
  constexpr std::string_view key = "mhlo.num_replicas = ";
  const std::size_t at = program.find(key);
  return at == std::string::npos ? 1 : std::atoi(program.c_str() + at + key.size());
}

double value_of(const std::map<std::string, double>& cost, const std::string& name) {
  const auto found = cost.find(name);
  return found == cost.end() ? 0 : found->second;
}

void fill(Compiled&& compiled, CompileReport& report) {
  report.seconds = value_of(compiled.cost, "optimal_seconds");
  report.flops = value_of(compiled.cost, "flops");
  report.bytes = value_of(compiled.cost, "bytes accessed");
  report.argument_bytes = compiled.argument_bytes;
  report.output_bytes = compiled.output_bytes;
  report.alias_bytes = compiled.alias_bytes;
  report.temporary_bytes = compiled.temporary_bytes;
  report.code_bytes = compiled.code_bytes;
  report.memory_bytes = compiled.argument_bytes + compiled.output_bytes - compiled.alias_bytes +
                        compiled.temporary_bytes + compiled.code_bytes;
  report.fits = report.memory_limit == 0 || report.memory_bytes <= report.memory_limit;
  report.module = summarize_module(compiled.optimized, compiled.optimized_format == "hlo_with_config");
  report.optimized = std::move(compiled.optimized);
  report.executable = std::move(compiled.executable);
}

}  // namespace

StepTarget step_target(const std::string& name, const CompileOptions& options) {
  const Compiler compiler = compiler_for(name, options);
  return {compiler.topology.devices(), compiler.gpu ? stablehlo::Target::gpu : stablehlo::Target::tpu};
}

CompileReport compile_for_topology(const std::string& target, const std::string& program,
                                   const CompileOptions& options) {
  const auto [gpu, plugin, topology] = compiler_for(target, options);
  CompileReport report{.target = target,
                       .device_kind = topology.device_kind(),
                       .devices = topology.devices(),
                       .replicas = replicas_of(program),
                       .plugin = fmt::format("{} (PJRT {})", plugin->path(), plugin->version())};
  report.memory_limit = gpu ? gpu->memory : memory_of(report.device_kind);
  if (report.replicas < 1 || report.replicas > report.devices)
    throw Error("--target {}: got a program for {} replicas, expected 1 to the {} cores of the target",
                target, report.replicas, report.devices);
  std::vector<std::int64_t> ids(report.replicas);
  std::iota(ids.begin(), ids.end(), 0);
  const auto start = std::chrono::steady_clock::now();
  try {
    Compiled compiled = topology.compile(
        program, compile_options(ids, gpu ? stablehlo::Target::gpu : stablehlo::Target::tpu));
    report.compile_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    fill(std::move(compiled), report);
  } catch (const Error& error) {
    if (std::string_view(error.what()).find("RESOURCE_EXHAUSTED") == std::string_view::npos) throw;
    report.compile_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    report.problem = error.what();
  }
  return report;
}

}  // namespace ssd::pjrt
