#include "processes/peer.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>
#include <fstream>
#include <optional>
#include <sstream>

#include "base/error.h"

namespace ssd {
namespace {

struct Stat {
  char state = '?';
  std::uint64_t started = 0;
};

// Fields 3 and 22; the second, the program's name in parentheses, may hold anything.
std::optional<Stat> stat_of(std::int64_t process) {
  std::ifstream file(fmt::format("/proc/{}/stat", process));
  std::string text;
  if (!std::getline(file, text)) return std::nullopt;
  const std::size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) return std::nullopt;
  std::istringstream fields(text.substr(name_end + 1));
  Stat stat;
  fields >> stat.state;
  std::string skipped;
  for (int field = 4; field < 22; ++field) fields >> skipped;
  if (!(fields >> stat.started)) return std::nullopt;
  return stat;
}

std::string host_name() {
  std::array<char, HOST_NAME_MAX + 1> name{};
  ::gethostname(name.data(), name.size() - 1);
  return name.data();
}

std::string affinity_mask() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<int> processors;
  if (::sched_getaffinity(0, sizeof set, &set) == 0)
    for (int i = 0; i < CPU_SETSIZE; ++i)
      if (CPU_ISSET(i, &set)) processors.push_back(i);
  return fmt::format("{}", fmt::join(processors, ","));
}

}  // namespace

Peer this_process() {
  const std::int64_t process = ::getpid();
  const std::optional<Stat> stat = stat_of(process);
  return {host_name(), process, stat ? stat->started : 0, affinity_mask()};
}

std::string to_text(const Peer& peer) {
  return fmt::format("{}\n{}\n{}\n{}", peer.host, peer.process, peer.started, peer.processors);
}

Peer parse_peer(const std::string& text) {
  std::istringstream lines(text);
  Peer peer;
  std::getline(lines, peer.host);
  lines >> peer.process >> peer.started;
  if (!lines) throw Error("processes: got '{}' for where one is, expected host, id and start", text);
  lines >> peer.processors;
  return peer;
}

bool is_running(const Peer& peer) {
  const std::optional<Stat> stat = stat_of(peer.process);
  return stat && stat->started == peer.started && stat->state != 'Z' && stat->state != 'X';
}

int sharers_of_processors(const std::vector<Peer>& peers, int rank) {
  const Peer& own = peers.at(static_cast<std::size_t>(rank));
  return static_cast<int>(std::ranges::count_if(
      peers, [&](const Peer& peer) { return peer.host == own.host && peer.processors == own.processors; }));
}

}  // namespace ssd
