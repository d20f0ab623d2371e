// singleshot compile: the training step compiled for a TPU or GPU that need not be there.
#include "backend/pjrt/compile.h"

#include <fmt/format.h>

#include <array>
#include <memory>
#include <nlohmann/json.hpp>

#include "backend/stablehlo/lower.h"
#include "base/error.h"
#include "base/text_file.h"
#include "cli/commands.h"
#include "cli/given.h"
#include "cli/help.h"
#include "cli/network_options.h"
#include "cli/output.h"
#include "cli/validators.h"
#include "model/training_graph.h"

namespace ssd::cli {
namespace {

struct Options {
  std::string target, program, backbone = "resnet50", stride_in = "3x3", precision = "bf16", plugin, json,
                               save_text, save_optimized, save_executable;
  std::int64_t batch = 128, max_boxes = 96, classes = 81;
  int batch_norm_group = 1;
};

// The real data-parallel step for every device of the target.
std::string step_text(const Options& options, const pjrt::StepTarget& target) {
  const model::ModelOptions model{.backbone = model::backbone_named(options.backbone),
                                  .stride_in = model::stride_in_named(options.stride_in),
                                  .classes = options.classes,
                                  .compute = options.precision == "bf16" ? DType::bf16 : DType::f32};
  return stablehlo::lower(model::training_graph(model, {.batch = options.batch,
                                                        .max_boxes = options.max_boxes,
                                                        .replicas = target.devices,
                                                        .batch_norm_group = options.batch_norm_group}),
                          stablehlo::options_for(target.lowered_for));
}

double mebibytes(std::int64_t bytes) { return static_cast<double>(bytes) / (1 << 20); }

void print(const pjrt::CompileReport& report) {
  put("{} ({}, {} device{}), compiled in {:.0f} s by {}\n", report.target, report.device_kind, report.devices,
      report.devices == 1 ? "" : "s", report.compile_seconds, report.plugin);
  if (report.flops > 0)
    put("the compiler's estimate of a step: {}, {:.1f} GFLOP, {:.1f} GB moved, {:.0f} cycles\n",
        report.seconds > 0 ? fmt::format("{:.4f} s", report.seconds) : "no time given for this kind",
        report.flops / 1e9, report.bytes / 1e9, report.module.cycles);
  else
    put("the compiler gives no estimate of a step for this kind\n");
  put("memory of a device: {:.0f} MiB (arguments {:.0f}, temporaries {:.0f}, code {:.0f}) of {}: {}\n",
      mebibytes(report.memory_bytes), mebibytes(report.argument_bytes), mebibytes(report.temporary_bytes),
      mebibytes(report.code_bytes),
      report.memory_limit > 0 ? fmt::format("{:.0f} MiB", mebibytes(report.memory_limit)) : "an unknown size",
      report.fits ? "fits" : "DOES NOT FIT");
  if (!report.problem.empty()) put("{}\n", report.problem);
  for (const pjrt::Collective& collective : report.module.collectives)
    put("{} of {} tensors, {:.1f} MiB\n", collective.operation, collective.tensors,
        mebibytes(collective.bytes));
  for (const auto& [kind, count] : report.module.convolutions) put("{} convolutions {}\n", count, kind);
}

std::string json_of(const pjrt::CompileReport& report) {
  nlohmann::ordered_json collectives = nlohmann::ordered_json::array(), convolutions;
  for (const pjrt::Collective& c : report.module.collectives)
    collectives.push_back({{"operation", c.operation},
                           {"tensors", c.tensors},
                           {"elements", c.elements},
                           {"bytes", c.bytes},
                           {"scalars", c.scalars()}});
  for (const auto& [kind, count] : report.module.convolutions) convolutions[kind] = count;
  return nlohmann::ordered_json{{"target", report.target},
                                {"device_kind", report.device_kind},
                                {"devices", report.devices},
                                {"replicas", report.replicas},
                                {"plugin", report.plugin},
                                {"compile_seconds", report.compile_seconds},
                                {"seconds", report.seconds},
                                {"cycles", report.module.cycles},
                                {"flops", report.flops},
                                {"bytes", report.bytes},
                                {"argument_bytes", report.argument_bytes},
                                {"output_bytes", report.output_bytes},
                                {"alias_bytes", report.alias_bytes},
                                {"temporary_bytes", report.temporary_bytes},
                                {"code_bytes", report.code_bytes},
                                {"memory_bytes", report.memory_bytes},
                                {"memory_limit", report.memory_limit},
                                {"fits", report.fits},
                                {"problem", report.problem},
                                {"collectives", std::move(collectives)},
                                {"convolutions", std::move(convolutions)}}
      .dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

void run(const Options& options, Session& session) {
  for (const std::string& file :
       {options.json, options.save_text, options.save_optimized, options.save_executable})
    require_writable(file);
  const pjrt::CompileOptions compiler{.plugin = options.plugin};
  const std::string text = options.program.empty()
                               ? step_text(options, pjrt::step_target(options.target, compiler))
                               : read_text_file(options.program, budget::program);
  if (!options.save_text.empty()) write_text(options.save_text, text);
  tell("compiling {} for {}; this takes minutes\n",
       options.program.empty() ? options.backbone + "'s training step" : options.program, options.target);
  const pjrt::CompileReport report = pjrt::compile_for_topology(options.target, text, compiler);
  if (!options.save_optimized.empty()) write_text(options.save_optimized, report.optimized);
  if (!options.save_executable.empty()) {
    if (report.executable.empty())
      throw Error("--save-executable: the compiler cannot serialize what it made for {}", options.target);
    write_text(options.save_executable, report.executable);
  }
  if (options.json != "-") print(report);
  if (!options.json.empty()) write_json_text(options.json, json_of(report));
  session.exit_code = report.fits ? 0 : 1;
}

// What --program stands in place of.
constexpr std::array step_options = {"--batch-size", "--backbone", "--stride-in",      "--precision",
                                     "--max-boxes",  "--classes",  "--sync-batch-norm"};

void add_step_options(CLI::App& command, Options& options) {
  add_backbone_option(command, options.backbone);
  command.add_option("--stride-in", options.stride_in, "Strided convolution of a bottleneck: 3x3 or 1x1")
      ->check(CLI::IsMember({"3x3", "1x1"}))
      ->capture_default_str();
  command.add_option("--classes", options.classes, "Classes, the background included")
      ->check(CLI::Range(2, 100000))
      ->capture_default_str();
  command.add_option("--max-boxes", options.max_boxes, "Ground-truth boxes an image has room for")
      ->check(positive_number())
      ->capture_default_str();
  command.add_option("-b,--batch-size", options.batch, "Images of a batch on each device")
      ->check(batch_size())
      ->capture_default_str();
  command
      .add_option("--sync-batch-norm", options.batch_norm_group, "Devices that share batch-norm statistics")
      ->check(positive_number())
      ->capture_default_str();
  command
      .add_option("--precision", options.precision, "Of the convolutions: f32, or bf16 with f32 accumulation")
      ->check(CLI::IsMember({"f32", "bf16"}))
      ->capture_default_str();
}

void add_outputs(CLI::App& command, Options& options) {
  begin_group(command, group::output);
  command.add_option("--json", options.json, "Write the report there as JSON ('-': standard output)")
      ->type_name("FILE");
  command.add_option("--save-text", options.save_text, "Write the StableHLO text there")->type_name("FILE");
  command
      .add_option("--save-optimized", options.save_optimized,
                  "Write what the compiler made of it there, a HloModuleProtoWithConfig")
      ->type_name("FILE");
  command.add_option("--save-executable", options.save_executable, "Write the compiled program there")
      ->type_name("FILE");
}

}  // namespace

void add_compile(CLI::App& program, Session& session) {
  auto options = std::make_shared<Options>();
  CLI::App* command = program.add_subcommand(
      "compile",
      "Compile the training step for a TPU or GPU that need not be there: time, memory, collectives");
  begin_group(*command, group::input);
  command->add_option("--target", options->target, "TPUs by kind and topology, GPUs by kind and number")
      ->type_name("TARGET")
      ->required();
  command
      ->add_option("--program", options->program, "Compile this StableHLO text instead of the training step")
      ->type_name("FILE")
      ->check(CLI::ExistingFile);
  add_step_options(*command, *options);
  add_outputs(*command, *options);
  begin_group(*command, group::device);
  command
      ->add_option("--plugin", options->plugin,
                   "The compiler's library [looked for as by --device tpu or cuda]")
      ->type_name("FILE");
  command->footer(
      "Targets are v3:2x2, v5e:2x2, v5p:2x2x1, v6e:2x2, v5e:16x16, ...; a100, h100, h200, b200, h100:8, ...");
  command->callback([options, command, &session] {
    if (!options->program.empty()) refuse_beside(*command, "--program", step_options);
    run(*options, session);
  });
}

}  // namespace ssd::cli
