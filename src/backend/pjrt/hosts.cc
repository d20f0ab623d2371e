#include "backend/pjrt/hosts.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <sstream>

#include "backend/pjrt/nvidia.h"
#include "base/error.h"
#include "base/one_line.h"

namespace ssd::pjrt {
namespace {

// Everyone's text by rank, in every process.
std::vector<std::string> gather_for_all(Communicator& communicator, const std::string& text) {
  const std::vector<std::string> gathered = communicator.gather(text);
  std::vector<std::string> all;
  for (int rank = 0; rank < communicator.size(); ++rank)
    all.push_back(
        communicator.broadcast(communicator.is_first() ? gathered[static_cast<std::size_t>(rank)] : ""));
  return all;
}

bool is_libtpu(const std::string& device, const std::filesystem::path& plugin) {
  return device == "tpu" || plugin.filename() == "libtpu.so";
}

// The machine, and which of its GPUs this process was given.
std::string own_gpus() {
  std::array<char, HOST_NAME_MAX + 1> name{};
  ::gethostname(name.data(), name.size() - 1);
  const char* visible = std::getenv("CUDA_VISIBLE_DEVICES");
  return fmt::format("{}, CUDA_VISIBLE_DEVICES {}", name.data(), visible == nullptr ? "not set" : visible);
}

void expect_own_gpus(Communicator& communicator, const std::string& device) {
  const std::vector<std::string> gpus = gather_for_all(communicator, own_gpus());
  for (std::size_t rank = 1; rank < gpus.size(); ++rank)
    for (std::size_t other = 0; other < rank; ++other)
      if (gpus[rank] == gpus[other])
        throw Error(
            "--device {}: ranks {} and {} would take the same GPUs ({}); start one process a machine, or "
            "give each its own by CUDA_VISIBLE_DEVICES",
            device, other, rank, gpus[rank]);
}

std::string replicas_in_words(const Host& host) { return fmt::format("{} replicas", host.replicas.size()); }

}  // namespace

CreateOptions joining_options(Communicator& communicator, const std::string& device,
                              const std::string& plugin) {
  if (is_libtpu(device, plugin)) return {};
  if (device == "cuda" || is_cuda_plugin(plugin)) expect_own_gpus(communicator, device);
  return {{"node_id", std::int64_t{communicator.rank()}}, {"num_nodes", std::int64_t{communicator.size()}}};
}

std::string to_text(const Host& host) {
  return fmt::format("{} {} {} {}\n{}", host.process, host.processes, host.replicas.size(),
                     fmt::join(host.replicas, " "), host.runs_on);
}

Host parse_host(const std::string& text) {
  const std::size_t end = std::min(text.find('\n'), text.size());
  std::istringstream numbers(text.substr(0, end));
  Host host;
  std::size_t replicas = 0;
  numbers >> host.process >> host.processes >> replicas;
  for (int id = 0; host.replicas.size() < replicas && numbers >> id;) host.replicas.push_back(id);
  if (end == text.size() || host.replicas.size() != replicas)
    throw Error("processes: got '{}' for the devices of one, expected numbers and a line", text);
  host.runs_on = text.substr(end + 1);
  return host;
}

Host this_host(const Client& client, int replicas) {
  std::set<int> processes;
  for (PJRT_Device* device : client.all_devices()) processes.insert(client.describe(device).process);
  Host host{.process = client.process(), .processes = static_cast<int>(processes.size())};
  for (int i = 0; i < replicas; ++i) {
    const DeviceInfo info = client.describe(client.devices()[static_cast<std::size_t>(i)]);
    host.replicas.push_back(info.id);
    host.runs_on = fmt::format("{}, {} {}", info.kind, client.platform(), client.platform_version());
  }
  return host;
}

std::vector<std::int64_t> replicas_of(const std::vector<Host>& hosts, const std::string& device) {
  std::vector<std::int64_t> ids;
  std::set<int> seen, processes;
  const Host& first = hosts.front();
  for (std::size_t rank = 0; rank < hosts.size(); ++rank) {
    const Host& host = hosts[rank];
    if (host.processes != static_cast<int>(hosts.size()))
      throw Error(
          "--device {}: got {} processes, but its plugin reports devices of {}; start as many as it joins, "
          "which is one a host for TPU slices and GPUs, and one alone for other plugins",
          device, hosts.size(), host.processes);
    if (host.replicas.size() != first.replicas.size())
      throw Error("--replicas: rank {} has {}, rank 0 has {}; start all processes alike", rank,
                  replicas_in_words(host), replicas_in_words(first));
    if (host.runs_on != first.runs_on)
      throw Error("--device {}: rank {} runs on {}, rank 0 on {}; start all processes alike", device, rank,
                  one_line(host.runs_on), one_line(first.runs_on));
    bool is_new = processes.insert(host.process).second;
    for (const int id : host.replicas) is_new = seen.insert(id).second && is_new;
    if (!is_new)
      throw Error(
          "--device {}: rank {} has devices of another rank (process {}, devices {}); give each its own",
          device, rank, host.process, fmt::join(host.replicas, ", "));
    ids.insert(ids.end(), host.replicas.begin(), host.replicas.end());
  }
  return ids;
}

std::vector<Host> all_hosts(Communicator& communicator, const Host& own) {
  std::vector<Host> hosts;
  for (const std::string& text : gather_for_all(communicator, to_text(own)))
    hosts.push_back(parse_host(text));
  return hosts;
}

}  // namespace ssd::pjrt
