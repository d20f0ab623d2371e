#include "bench/node_profile.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <span>
#include <utility>

namespace ssd {
namespace {

ProfileRow row_of(const graph::NodeTime& time, const MachinePeak& peak, int iterations) {
  ProfileRow row{.kind = std::string(graph::name_of(time.kind)), .method = time.method, .name = time.name};
  const double steps = static_cast<double>(time.steps) / iterations;
  row.seconds = time.seconds / iterations;
  row.cost = {.flops = time.cost.flops * steps, .bytes = time.cost.bytes * steps};
  const double arithmetic = row.cost.flops / peak.flops, memory = row.cost.bytes / peak.bytes;
  (arithmetic > memory ? row.arithmetic_bound : row.memory_bound) = std::max(arithmetic, memory);
  return row;
}

void add(ProfileRow& sum, const ProfileRow& row) {
  sum.nodes += row.nodes;
  sum.seconds += row.seconds;
  sum.cost += row.cost;
  sum.arithmetic_bound += row.arithmetic_bound;
  sum.memory_bound += row.memory_bound;
}

// Rows of the same time keep their order.
void slowest_first(std::vector<ProfileRow>& rows) {
  std::stable_sort(rows.begin(), rows.end(),
                   [](const ProfileRow& a, const ProfileRow& b) { return a.seconds > b.seconds; });
}

double rate(double amount, double seconds) { return seconds > 0 ? amount / seconds : 0; }

std::string kind_text(const ProfileRow& row) {
  return row.method.empty() ? row.kind : fmt::format("{} ({})", row.kind, row.method);
}

// A table whose first column is as wide as its longest entry.
class Table {
 public:
  // `whole`: the seconds of an iteration.
  Table(std::size_t width, double whole) : width_(width), whole_(whole) {}

  void head(const std::string& first, const std::string& second) {
    text_ += fmt::format("{:<{}} {:>5} {:>9} {:>6} {:>8} {:>6} {:<10} {:>5}\n", first, width_, second, "ms",
                         "time", "GFLOP/s", "GB/s", "limit", "of it");
  }
  void line(const ProfileRow& row, const std::string& first, const std::string& second) {
    text_ += fmt::format("{} {:>8.1f} {:>6.2f} {:<10} {:>4.0f}%\n", time(first, second, row.seconds),
                         rate(row.cost.flops, row.seconds) / 1e9, rate(row.cost.bytes, row.seconds) / 1e9,
                         row.limit(), 100 * row.of_roofline());
  }
  void line(const std::string& first, double seconds) { text_ += time(first, "", seconds) + "\n"; }
  void text(const std::string& lines) { text_ += lines; }
  const std::string& text() const { return text_; }

 private:
  std::string time(const std::string& first, const std::string& second, double seconds) const {
    return fmt::format("{:<{}} {:>5} {:>9.3f} {:>5.1f}%", first, width_, second, 1e3 * seconds,
                       100 * rate(seconds, whole_));
  }

  std::size_t width_;
  double whole_;
  std::string text_;
};

nlohmann::ordered_json json_of(const ProfileRow& row, double whole) {
  nlohmann::ordered_json json;
  if (!row.name.empty()) json["name"] = row.name;
  json["kind"] = row.kind;
  if (!row.method.empty()) json["method"] = row.method;
  if (row.name.empty()) json["nodes"] = row.nodes;
  json["ms"] = 1e3 * row.seconds;
  json["share"] = rate(row.seconds, whole);
  json["gflop"] = row.cost.flops / 1e9;
  json["mb"] = row.cost.bytes / 1e6;
  json["gflop_per_s"] = rate(row.cost.flops, row.seconds) / 1e9;
  json["gb_per_s"] = rate(row.cost.bytes, row.seconds) / 1e9;
  json["limit"] = row.limit();
  json["of_limit"] = row.of_roofline();
  return json;
}

nlohmann::ordered_json json_of(const std::vector<ProfileRow>& rows, double whole) {
  auto list = nlohmann::ordered_json::array();
  for (const ProfileRow& row : rows) list.push_back(json_of(row, whole));
  return list;
}

}  // namespace

NodeProfile node_profile(const std::vector<graph::NodeTime>& times, const MachinePeak& peak, int iterations,
                         double seconds) {
  NodeProfile profile{.peak = peak, .iterations = iterations, .seconds = seconds / iterations};
  std::map<std::pair<graph::Kind, std::string>, ProfileRow> kinds;
  for (const graph::NodeTime& time : times) {
    ProfileRow row = row_of(time, peak, iterations);
    profile.node_seconds += row.seconds;
    const ProfileRow none{.kind = row.kind, .method = row.method, .nodes = 0};
    add(kinds.try_emplace({time.kind, time.method}, none).first->second, row);
    profile.nodes.push_back(std::move(row));
  }
  for (auto& [key, row] : kinds) profile.kinds.push_back(std::move(row));
  slowest_first(profile.kinds);
  slowest_first(profile.nodes);
  return profile;
}

std::string NodeProfile::to_text(std::size_t most) const {
  const std::string rest = "inputs, outputs, parameters";
  const std::span slowest(nodes.data(), std::min(most, nodes.size()));
  std::size_t width = rest.size();
  for (const ProfileRow& row : kinds) width = std::max(width, kind_text(row).size());
  for (const ProfileRow& row : slowest) width = std::max(width, row.name.size());

  Table table(width, seconds);
  table.text(fmt::format("peak of {} thread{}: {:.1f} GFLOP/s, {:.1f} GB/s\n\n", peak.threads,
                         peak.threads == 1 ? "" : "s", peak.flops / 1e9, peak.bytes / 1e9));
  table.head("kind", "nodes");
  ProfileRow sum{.nodes = 0};
  for (const ProfileRow& row : kinds) {
    table.line(row, kind_text(row), std::to_string(row.nodes));
    add(sum, row);
  }
  table.line(sum, "all nodes", std::to_string(sum.nodes));
  table.line(rest, seconds - node_seconds);
  table.line("an iteration", seconds);
  table.text("\n");
  table.head("slowest nodes", "");
  for (const ProfileRow& row : slowest) table.line(row, row.name, "");
  table.text(
      "\nlimit: what takes longer, a node's arithmetic at the peak or its tensors' way to and from memory.\n"
      "Winograd needs a quarter of the multiplications, 8 and 16 bits a part of their time, and caches spare "
      "memory: above 100%.\n");
  return table.text();
}

nlohmann::ordered_json NodeProfile::to_json() const {
  return {{"peak",
           {{"threads", peak.threads}, {"gflop_per_s", peak.flops / 1e9}, {"gb_per_s", peak.bytes / 1e9}}},
          {"iterations", iterations},
          {"ms", 1e3 * seconds},
          {"ms_in_nodes", 1e3 * node_seconds},
          {"kinds", json_of(kinds, seconds)},
          {"nodes", json_of(nodes, seconds)}};
}

}  // namespace ssd
