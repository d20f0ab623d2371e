// singleshot devices: what there is to run on.
#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "backend/cpu/cpu_device.h"
#include "backend/pjrt/plugins.h"
#include "cli/commands.h"
#include "cli/help.h"
#include "cli/output.h"

namespace ssd::cli {
namespace {

std::string gibibytes(std::int64_t bytes) {
  return fmt::format("{:.1f} GiB", static_cast<double>(bytes) / (1 << 30));
}

void print_plugin(const pjrt::PluginInfo& plugin) {
  put("{}\n  {}\n", plugin.device, plugin.path);
  if (!plugin.problem.empty()) {
    put("  cannot be used: {}\n", plugin.problem);
    return;
  }
  put("  PJRT API {}, platform {} ({})\n", plugin.api, plugin.platform, plugin.version);
  for (const pjrt::DeviceInfo& device : plugin.devices)
    put("  device {}: {}{}\n", device.id, device.kind,
        device.memory_limit > 0 ? ", " + gibibytes(device.memory_limit) : "");
}

nlohmann::ordered_json plugin_json(const pjrt::PluginInfo& plugin) {
  nlohmann::ordered_json devices = nlohmann::ordered_json::array();
  for (const pjrt::DeviceInfo& device : plugin.devices)
    devices.push_back({{"id", device.id},
                       {"kind", device.kind},
                       {"memory_limit", device.memory_limit},
                       {"memory_in_use", device.memory_in_use}});
  return {{"device", plugin.device},      {"path", plugin.path},       {"api", plugin.api},
          {"platform", plugin.platform},  {"version", plugin.version}, {"problem", plugin.problem},
          {"devices", std::move(devices)}};
}

void run(const std::string& json) {
  const std::string cpu = cpu::make_device()->description();
  const std::vector<pjrt::PluginInfo> plugins = pjrt::list_plugins();
  if (!json.empty()) {
    nlohmann::ordered_json all = nlohmann::ordered_json::array();
    all.push_back({{"device", "cpu"}, {"description", cpu}});
    for (const pjrt::PluginInfo& plugin : plugins) all.push_back(plugin_json(plugin));
    write_json_line(json, all);
    return;
  }
  put("cpu\n  {}\n", cpu);
  for (const pjrt::PluginInfo& plugin : plugins) print_plugin(plugin);
  if (plugins.empty())
    put("no PJRT plugin found: scripts/setup installs one for the CPU, --tpu and --cuda those for TPUs and "
        "GPUs\n");
}

}  // namespace

void add_devices(CLI::App& program, Session&) {
  auto json = std::make_shared<std::string>();
  CLI::App* command =
      program.add_subcommand("devices", "List the CPU and the PJRT plugins with their devices");
  begin_group(*command, group::output);
  command->add_option("--json", *json, "Write the list there as JSON ('-': standard output)")
      ->type_name("FILE");
  command->callback([json] { run(*json); });
}

}  // namespace ssd::cli
