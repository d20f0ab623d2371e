// Measurements of speed: what they print, and what profiles and traces hold.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "program.h"

namespace ssd {
namespace {

using Json = nlohmann::json;

constexpr int iterations = 2;

// A benchmark of the smallest network, with more options.
Outcome bench(const std::string& mode, const std::vector<std::string>& more) {
  return run_program(with({"bench", mode, "--backbone", "resnet18", "--batch-size", "1", "--benchmark-warmup",
                           "1", "--benchmark-iterations", std::to_string(iterations)},
                          more));
}

double sum_of(const Json& rows, const char* key) {
  double sum = 0;
  for (const Json& row : rows) sum += row.at(key).get<double>();
  return sum;
}

// Holds the spans of each track against each other; gives them by track.
std::map<std::string, std::vector<Json>> tracks_of(const Json& trace) {
  std::map<int, std::string> names;
  for (const Json& event : trace.at("traceEvents"))
    if (event.at("ph") == "M") names[event.at("tid")] = event.at("args").at("name");
  std::map<std::string, std::vector<Json>> tracks;
  for (const Json& event : trace.at("traceEvents"))
    if (event.at("ph") == "X") tracks[names.at(event.at("tid"))].push_back(event);
  for (auto& [name, events] : tracks) {
    std::stable_sort(events.begin(), events.end(),
                     [](const Json& a, const Json& b) { return a["ts"] < b["ts"]; });
    double end = 0;  // microseconds, given to the nanosecond
    for (const Json& event : events) {
      EXPECT_GE(event.at("dur").get<double>(), 0) << event;
      EXPECT_GE(event.at("ts").get<double>(), end - 1e-3) << name << ": " << event;
      end = event.at("ts").get<double>() + event.at("dur").get<double>();
    }
  }
  return tracks;
}

TEST(Bench, ProfilesAndTracesEveryNode) {
  const TemporaryFolder folder;
  for (const char* mode : {"infer", "train"}) {
    const Outcome outcome =
        bench(mode, {"--profile", "--json", folder / "bench.json", "--trace", folder / "trace.json"});
    ASSERT_EQ(outcome.exit_status, 0) << outcome.err;
    EXPECT_TRUE(outcome.out.starts_with("peak of ")) << outcome.out;
    EXPECT_NE(outcome.out.find("\nslowest nodes"), std::string::npos) << outcome.out;

    const Json result = Json::parse(read_file(folder / "bench.json"));
    const Json& profile = result.at("profile");
    EXPECT_GT(profile["peak"]["gflop_per_s"], 0);
    EXPECT_GT(profile["peak"]["gb_per_s"], 0);
    EXPECT_EQ(profile["iterations"], iterations);
    const double whole = profile["ms"], in_nodes = profile["ms_in_nodes"];
    EXPECT_LE(in_nodes, whole);
    EXPECT_GE(in_nodes, whole / 2);
    for (const char* rows : {"kinds", "nodes"}) {
      EXPECT_NEAR(sum_of(profile[rows], "ms"), in_nodes, 1e-6 * in_nodes) << rows;
      EXPECT_NEAR(sum_of(profile[rows], "gflop") / result["gflop_per_image"].get<double>(), 1, 0.01) << rows;
    }
    EXPECT_EQ(sum_of(profile["kinds"], "nodes"), profile["nodes"].size());

    std::map<std::string, std::vector<Json>> tracks =
        tracks_of(Json::parse(read_file(folder / "trace.json")));
    EXPECT_EQ(tracks["iterations"].size(), iterations);
    std::map<std::string, int> expected, found;  // nodes of a kind and a name
    for (const Json& node : profile["nodes"])
      expected[node["kind"].get<std::string>() + " " + node["name"].get<std::string>()] += iterations;
    for (const Json& event : tracks["network"])
      if (event["cat"] != "memory")
        ++found[event["cat"].get<std::string>() + " " + event["name"].get<std::string>()];
    EXPECT_EQ(found, expected);
  }
}

TEST(Bench, KeepsTheTableApartFromTheJsonLine) {
  const Outcome table = bench("infer", {"--profile"});
  ASSERT_EQ(table.exit_status, 0) << table.err;
  EXPECT_NE(table.out.find("\nfused_convolution (direct)"), std::string::npos) << table.out;
  EXPECT_EQ(table.out.find('{'), std::string::npos) << table.out;

  const Outcome json = bench("infer", {"--profile", "--json", "-"});
  ASSERT_EQ(json.exit_status, 0) << json.err;
  EXPECT_TRUE(Json::parse(json.out).contains("profile"));
  EXPECT_NE(json.err.find("\nfused_convolution (direct)"), std::string::npos) << json.err;
}

TEST(Bench, RefusesProfilesOfOtherDevices) {
  const TemporaryFolder folder;
  for (const std::vector<std::string>& option :
       {std::vector<std::string>{"--profile"}, {"--trace", folder / "trace.json"}}) {
    std::vector<std::string> arguments = {"bench", "train", "--device", "tpu"};
    arguments.insert(arguments.end(), option.begin(), option.end());
    const Outcome outcome = run_program(arguments);
    EXPECT_EQ(outcome.exit_status, 2) << outcome.err;
    EXPECT_EQ(count_lines(outcome.err), 1) << outcome.err;
    EXPECT_NE(outcome.err.find(option[0] + ": got --device tpu, expected cpu"), std::string::npos)
        << outcome.err;
  }
}

}  // namespace
}  // namespace ssd
