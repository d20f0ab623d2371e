#include "bench/node_profile.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace ssd {
namespace {

using graph::Kind;
using Json = nlohmann::json;

// 100 GFLOP/s and 10 GB/s; two iterations of 50 ms.
NodeProfile small_profile() {
  const std::vector<graph::NodeTime> times{
      {"conv1", Kind::convolution, "direct", {.flops = 1e9, .bytes = 20e6}, 2, 0.040},
      {"conv2", Kind::convolution, "Winograd", {.flops = 2e9, .bytes = 10e6}, 2, 0.020},
      {"conv3", Kind::convolution, "direct", {.flops = 1e8, .bytes = 50e6}, 2, 0.016},
      {"norm1", Kind::batch_norm, "", {.flops = 1e6, .bytes = 30e6}, 2, 0.012},
      {"unused", Kind::add, "", {.flops = 1e6, .bytes = 1e6}, 0, 0},
  };
  return node_profile(times, {.threads = 2, .flops = 100e9, .bytes = 10e9}, 2, 0.100);
}

TEST(NodeProfile, SumsKindsAndHoldsThemAgainstTheRoofline) {
  const NodeProfile profile = small_profile();
  EXPECT_DOUBLE_EQ(profile.seconds, 0.050);
  EXPECT_DOUBLE_EQ(profile.node_seconds, 0.044);
  ASSERT_EQ(profile.kinds.size(), 4u);

  // conv1 needs 10 ms for its arithmetic (2 for its memory), conv3 5 ms for its memory (1 for its
  // arithmetic).
  const ProfileRow& direct = profile.kinds[0];
  EXPECT_EQ(direct.kind, "convolution");
  EXPECT_EQ(direct.method, "direct");
  EXPECT_EQ(direct.nodes, 2);
  EXPECT_DOUBLE_EQ(direct.seconds, 0.028);
  EXPECT_DOUBLE_EQ(direct.cost.flops, 1.1e9);
  EXPECT_DOUBLE_EQ(direct.cost.bytes, 70e6);
  EXPECT_DOUBLE_EQ(direct.arithmetic_bound, 0.010);
  EXPECT_DOUBLE_EQ(direct.memory_bound, 0.005);
  EXPECT_DOUBLE_EQ(direct.of_roofline(), 15.0 / 28);
  EXPECT_STREQ(direct.limit(), "arithmetic");

  const ProfileRow& winograd = profile.kinds[1];
  EXPECT_EQ(winograd.method, "Winograd");
  EXPECT_DOUBLE_EQ(winograd.of_roofline(), 2.0);  // 20 ms of arithmetic in 10

  const ProfileRow& norm = profile.kinds[2];
  EXPECT_EQ(norm.kind, "batch_norm");
  EXPECT_DOUBLE_EQ(norm.of_roofline(), 0.5);  // 3 ms of memory in 6
  EXPECT_STREQ(norm.limit(), "memory");

  EXPECT_EQ(profile.kinds[3].kind, "add");
  EXPECT_EQ(profile.kinds[3].of_roofline(), 0);
}

TEST(NodeProfile, ListsTheSlowestNodesFirst) {
  std::vector<std::string> names;
  for (const ProfileRow& row : small_profile().nodes) names.push_back(row.name);
  EXPECT_EQ(names, (std::vector<std::string>{"conv1", "conv2", "conv3", "norm1", "unused"}));
}

TEST(NodeProfile, IsATableForPeople) {
  EXPECT_EQ(small_profile().to_text(2), R"(peak of 2 threads: 100.0 GFLOP/s, 10.0 GB/s

kind                        nodes        ms   time  GFLOP/s   GB/s limit      of it
convolution (direct)            2    28.000  56.0%     39.3   2.50 arithmetic   54%
convolution (Winograd)          1    10.000  20.0%    200.0   1.00 arithmetic  200%
batch_norm                      1     6.000  12.0%      0.2   5.00 memory       50%
add                             1     0.000   0.0%      0.0   0.00 memory        0%
all nodes                       5    44.000  88.0%     70.5   2.50 arithmetic   86%
inputs, outputs, parameters           6.000  12.0%
an iteration                         50.000 100.0%

slowest nodes                            ms   time  GFLOP/s   GB/s limit      of it
conv1                                20.000  40.0%     50.0   1.00 arithmetic   50%
conv2                                10.000  20.0%    200.0   1.00 arithmetic  200%

limit: what takes longer, a node's arithmetic at the peak or its tensors' way to and from memory.
Winograd needs a quarter of the multiplications, 8 and 16 bits a part of their time, and caches spare memory: above 100%.
)");
}

TEST(NodeProfile, IsJsonForPrograms) {
  const Json json = small_profile().to_json();
  EXPECT_EQ(json["peak"], Json::parse(R"({"threads": 2, "gflop_per_s": 100.0, "gb_per_s": 10.0})"));
  EXPECT_EQ(json["iterations"], 2);
  EXPECT_DOUBLE_EQ(json["ms"], 50);
  EXPECT_DOUBLE_EQ(json["ms_in_nodes"], 44);
  ASSERT_EQ(json["kinds"].size(), 4u);
  ASSERT_EQ(json["nodes"].size(), 5u);

  const Json& winograd = json["kinds"][1];
  EXPECT_EQ(winograd["kind"], "convolution");
  EXPECT_EQ(winograd["method"], "Winograd");
  EXPECT_EQ(winograd["nodes"], 1);
  EXPECT_DOUBLE_EQ(winograd["ms"], 10);
  EXPECT_DOUBLE_EQ(winograd["share"], 0.2);
  EXPECT_DOUBLE_EQ(winograd["gflop"], 2);
  EXPECT_DOUBLE_EQ(winograd["mb"], 10);
  EXPECT_DOUBLE_EQ(winograd["gflop_per_s"], 200);
  EXPECT_DOUBLE_EQ(winograd["gb_per_s"], 1);
  EXPECT_EQ(winograd["limit"], "arithmetic");
  EXPECT_DOUBLE_EQ(winograd["of_limit"], 2);

  const Json& norm = json["nodes"][3];
  EXPECT_EQ(norm["name"], "norm1");
  EXPECT_FALSE(norm.contains("method"));
  EXPECT_FALSE(norm.contains("nodes"));
  EXPECT_EQ(norm["limit"], "memory");
}

}  // namespace
}  // namespace ssd
