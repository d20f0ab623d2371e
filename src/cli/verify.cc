// singleshot verify: a device checked against golden values.
#include "train/verify.h"

#include <fmt/format.h>

#include <memory>

#include "cli/commands.h"
#include "cli/device_options.h"
#include "cli/output.h"

namespace ssd::cli {
namespace {

struct Options {
  std::string prefix, json;
  DeviceOptions device;
};

void run(Options options, Session& session) {
  options.device.replicas = options.device.device == "cpu" ? 0 : 1;  // the golden is one batch on one device
  const auto device = make_device(options.device);
  fmt::print("{} on {}\n", options.prefix, device->description());
  VerifyReport report;
  {
    Progress progress("verify");
    report =
        verify(options.prefix, *device, [&](const std::string& what) { progress.say("checking " + what); });
  }
  fmt::print("{}", to_text(report));
  if (!options.json.empty()) write_text(options.json, to_json(report) + "\n");
  fmt::print("{} against {} values of PyTorch: {}\n", model::name_of(report.backbone), report.arithmetic,
             report.ok() ? "all ok" : "NOT ok");
  session.exit_code = report.ok() ? 0 : 1;
}

}  // namespace

void add_verify(CLI::App& program, Session& session) {
  auto options = std::make_shared<Options>();
  CLI::App* command = program.add_subcommand("verify",
                                             "Check a device against golden values: boxes, matching, "
                                             "outputs, gradients, losses, weights, detections");
  command->add_option("prefix", options->prefix, "PREFIX of the golden PREFIX.safetensors and PREFIX.json")
      ->required();
  command->add_option("--json", options->json, "Write the result there as JSON ('-': standard output)");
  add_device_options(*command, options->device);
  command->callback([options, &session] { run(*options, session); });
}

}  // namespace ssd::cli
