// singleshot verify: a device checked against golden values, or another runtime against an exported
// checkpoint.
#include "verify/verify.h"

#include <fmt/format.h>

#include <memory>
#include <utility>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/device_options.h"
#include "cli/given.h"
#include "cli/help.h"
#include "cli/output.h"
#include "cli/verify_exported.h"

namespace ssd::cli {
namespace {

struct Options {
  std::string prefix, json;
  DeviceOptions device;
  VerifyExportedOptions exported;
};

void verify_device(Options options, Session& session) {
  if (options.device.replicas > 1)
    throw UsageError("--replicas: got {}, expected 1: the golden is one batch on one device",
                     options.device.replicas);
  options.device.replicas = options.device.device == "cpu" ? 0 : 1;
  require_writable(options.json);
  const bool text = options.json != "-";
  const auto device = make_device(options.device);
  if (text) put("{} on {}\n", options.prefix, device->description());
  VerifyReport report;
  {
    Progress progress("verify");
    report = verify(options.prefix, *device,
                    {.compute = precision_of(options.device),
                     .progress = [&](const std::string& what) { progress.say("checking " + what); }});
  }
  if (text) put_text(to_text(report));
  if (!options.json.empty()) write_json_text(options.json, to_json(report));
  if (text)
    put("{} in {} against {} values of PyTorch: {}\n", model::name_of(report.backbone),
        options.device.precision, report.arithmetic, report.ok() ? "all ok" : "NOT ok");
  session.exit_code = report.ok() ? 0 : 1;
}

void run(const CLI::App& command, Options options, Session& session) {
  if (options.prefix.empty() == options.exported.outputs.empty())
    throw UsageError("verify: expected either PREFIX of a golden, or --exported-outputs with --checkpoint");
  if (!options.prefix.empty()) {
    refuse_beside(command, "PREFIX", verify_exported_option_names());
    return verify_device(std::move(options), session);
  }
  options.exported.json = options.json;
  options.exported.device = options.device;
  verify_exported_outputs(command, options.exported, session);
}

}  // namespace

void add_verify(CLI::App& program, Session& session) {
  auto options = std::make_shared<Options>();
  CLI::App* command = program.add_subcommand(
      "verify", "Check a device against golden values, or what an exported file gives elsewhere");
  command->add_option("prefix", options->prefix, "PREFIX of the golden PREFIX.safetensors and PREFIX.json");
  add_verify_exported_options(*command, options->exported);
  begin_group(*command, group::output);
  command->add_option("--json", options->json, "Write the result there as JSON ('-': standard output)")
      ->type_name("FILE");
  add_device_options(*command, options->device);
  add_precision_options(*command, options->device);
  command->footer(
      "The golden's tolerances are for f32. In bf16 outputs may be 4% of the largest value away in\n"
      "inference and 25% in training (batch norms of four images magnify), the first step's loss 0.2% and\n"
      "later ones 2%, gradients' norms 5% in the median and 90% each, running statistics 10%, weights 0.3%;\n"
      "default boxes, matching and detections must be as exact as in f32.");
  command->callback([options, command, &session] { run(*command, *options, session); });
}

}  // namespace ssd::cli
