#include "base/processors.h"

#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <sstream>
#include <utility>

namespace ssd {
namespace {

namespace fs = std::filesystem;

constexpr int most_threads = 1024;

std::atomic<int> sharers{1};

// The first whole number of a text; nothing where it begins with something else.
std::optional<long> leading_number(const std::string& text) {
  long number = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
  return code == std::errc() && end != text.data() ? std::optional(number) : std::nullopt;
}

std::string first_line(const fs::path& file) {
  std::string line;
  std::ifstream stream(file);
  std::getline(stream, line);
  return line;
}

// Processors that a group's own quota allows. "max 100000" and -1 stand for no quota.
std::optional<double> quota_of(const fs::path& group, bool is_version_2) {
  std::optional<long> quota, period;
  if (is_version_2) {
    std::istringstream line(first_line(group / "cpu.max"));
    std::string first, second;
    line >> first >> second;
    quota = leading_number(first), period = leading_number(second);
  } else {
    quota = leading_number(first_line(group / "cpu.cfs_quota_us"));
    period = leading_number(first_line(group / "cpu.cfs_period_us"));
  }
  if (!quota || !period || *quota <= 0 || *period <= 0) return std::nullopt;
  return static_cast<double>(*quota) / static_cast<double>(*period);
}

// Whether "cpu" is one of the controllers of a line "4:cpu,cpuacct:/path".
bool controls_processors(const std::string& controllers) {
  std::istringstream names(controllers);
  for (std::string name; std::getline(names, name, ',');)
    if (name == "cpu") return true;
  return false;
}

// The smallest quota from the process's group up to the hierarchy's root. Within a container the path may be
// that of the host, of which only the root can be seen.
std::optional<double> quota_below(const fs::path& hierarchy, const std::string& path, bool is_version_2) {
  std::optional<double> least;
  fs::path group = hierarchy / fs::path(path).relative_path();
  while (true) {
    if (const auto quota = quota_of(group, is_version_2); quota && (!least || *quota < *least)) least = quota;
    if (group == hierarchy || !group.has_relative_path()) return least;
    group = group.parent_path();
  }
}

std::optional<double> cgroup_quota(const fs::path& root) {
  std::optional<double> least;
  std::ifstream groups(root / "proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    const std::size_t first = line.find(':');
    const std::size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1),
                      path = line.substr(second + 1);
    std::optional<double> quota;
    if (controllers.empty())
      quota = quota_below(root / "sys/fs/cgroup", path, true);
    else if (controls_processors(controllers))
      for (const char* hierarchy : {"sys/fs/cgroup/cpu", "sys/fs/cgroup/cpu,cpuacct"})
        if (!quota) quota = quota_below(root / hierarchy, path, false);
    if (quota && (!least || *quota < *least)) least = quota;
  }
  return least;
}

}  // namespace

ProcessorLimits limits_of_this_process() {
  ProcessorLimits limits;
  limits.online = std::max(1, static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN)));
  cpu_set_t set;
  limits.affinity = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : limits.online;
  if (const char* variable = std::getenv("OMP_NUM_THREADS"); variable != nullptr)
    limits.omp_num_threads = variable;
  limits.processes = sharers;
  return limits;
}

void share_processors(int processes) { sharers = processes; }

Processors processors(const ProcessorLimits& limits) {
  if (const auto asked = leading_number(limits.omp_num_threads); asked && *asked > 0)
    return {static_cast<int>(std::min<long>(*asked, most_threads)), "OMP_NUM_THREADS"};
  Processors result{std::max(1, limits.affinity), "all processors"};
  if (limits.affinity < limits.online)
    result.reason = fmt::format("{} of {} processors by affinity", result.count, limits.online);
  if (const auto quota = cgroup_quota(limits.root); quota && *quota < result.count)
    result = {std::max(1, static_cast<int>(*quota)),
              fmt::format("CPU quota {:.3g} of its control group", *quota)};
  if (limits.processes > 1)
    result = {std::max(1, result.count / limits.processes),
              fmt::format("{}, shared by {} processes", result.reason, limits.processes)};
  return result;
}

const Processors& processors() {
  static const Processors own = processors(limits_of_this_process());
  return own;
}

}  // namespace ssd
