// The commands on a PJRT device: the CPU plugin that scripts/setup installs.
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "program.h"

namespace ssd {
namespace {

namespace fs = std::filesystem;

class Device : public testing::Test {
 protected:
  void SetUp() override {
    if (cpu_plugin().empty()) GTEST_SKIP() << "no PJRT CPU plugin under .deps/pjrt: run scripts/setup";
    setenv("XDG_CACHE_HOME", SSD_TEST_CACHE, 1);  // compiled once for all tests and runs
  }

  std::vector<std::string> training(const std::string& run, int iterations,
                                    const std::vector<std::string>& more = {}) {
    if (!fs::exists(folder_ / "data")) make_small_data(folder_ / "data", 3);
    std::vector<std::string> numbers = {"--seed", "7", "--iterations", std::to_string(iterations)};
    if (std::ranges::find(more, "--device") == more.end()) numbers = with(numbers, {"--device", device_});
    return small_training(folder_ / "data", folder_ / run, with(numbers, more));
  }
  std::vector<double> losses(const std::string& run) const { return losses_of(folder_ / run); }

  const std::string device_ = "pjrt:" + cpu_plugin();
  const TemporaryFolder folder_;
};

TEST_F(Device, ARunThatWasKilledGoesOnAsIfItHadNotBeen) {
  ASSERT_EQ(run_program(training("whole", 4)).exit_status, 0);
  {
    RunningProgram killed(training("cut", 1000, {"--checkpoint-interval", "1"}));
    wait_for_file(checkpoint(folder_ / "cut", "000002"), killed);
    killed.send(SIGKILL);
  }
  for (const char* later : {"000005", "000004", "000003"}) fs::remove_all(checkpoint(folder_ / "cut", later));
  const Outcome resumed = run_program(training("cut", 4, {"--resume"}));
  ASSERT_EQ(resumed.exit_status, 0) << resumed.err;
  EXPECT_EQ(losses("whole").size(), 4u);
  EXPECT_EQ(lines_of(folder_ / "cut", "step"), lines_of(folder_ / "whole", "step"));
}

// The other backend is the second implementation: the same batches, steps and statistics.
TEST_F(Device, TrainsEvaluatesAndDetectsAsTheCpuBackendDoes) {
  std::vector<nlohmann::json> detections;
  for (const std::string& device : {std::string("cpu"), device_}) {
    const std::string run = device == "cpu" ? "cpu" : "pjrt";
    const Outcome trained = run_program(training(run, 2, {"--device", device}));
    ASSERT_EQ(trained.exit_status, 0) << trained.err;
    const Outcome evaluated = run_program(
        {"eval", "--checkpoint", folder_ / "cpu", "--data", folder_ / "data", "--device", device, "--json",
         folder_ / (run + ".json"), "--save-detections", folder_ / (run + "-detections.json")});
    ASSERT_EQ(evaluated.exit_status, 0) << evaluated.err;
    EXPECT_EQ(nlohmann::json::parse(read_file(folder_ / (run + ".json"))).at("numbers").size(), 12u);
    detections.push_back(nlohmann::json::parse(read_file(folder_ / (run + "-detections.json"))));
  }
  ASSERT_EQ(losses("pjrt").size(), 2u);
  for (std::size_t i = 0; i < 2; ++i) EXPECT_NEAR(losses("pjrt")[i] / losses("cpu")[i], 1, 1e-3) << i;
  ASSERT_EQ(detections[0].size(), detections[1].size());
  ASSERT_GT(detections[0].size(), 0u);
  EXPECT_EQ(detections[0][0]["image_id"], detections[1][0]["image_id"]);
  EXPECT_NEAR(detections[0][0]["score"].get<double>(), detections[1][0]["score"].get<double>(), 1e-4);

  const std::string jpeg = sample_data() + "/val2017/BloodImage_00007.jpg";
  const Outcome detected = run_program(
      {"detect", "--checkpoint", folder_ / "pjrt", "--device", device_, "--out", folder_ / "found", jpeg});
  ASSERT_EQ(detected.exit_status, 0) << detected.err;
  EXPECT_EQ(nlohmann::json::parse(read_file(folder_ / "found/detections.json")).size(), 1u);
  EXPECT_TRUE(fs::exists(folder_ / "found/BloodImage_00007.jpg"));
}

TEST_F(Device, HoldsAgainstTheGoldenValuesInBothPrecisions) {
  if (shared_file("golden/resnet18.json").empty()) GTEST_SKIP() << "../shared/golden is missing";
  for (const char* precision : {"f32", "bf16"}) {
    const Outcome outcome = run_program(
        {"verify", shared_file("golden") + "/resnet18", "--device", device_, "--precision", precision});
    EXPECT_EQ(outcome.exit_status, 0) << precision << "\n" << outcome.out << outcome.err;
  }
}

TEST_F(Device, BenchmarksCountEveryReplica) {
  std::vector<double> flops;
  for (const char* mode : {"infer", "train"}) {
    const Outcome outcome = run_program({"bench",
                                         mode,
                                         "--device",
                                         device_,
                                         "--cpu-devices",
                                         "2",
                                         "--replicas",
                                         "2",
                                         "--backbone",
                                         "resnet18",
                                         "--batch-size",
                                         "1",
                                         "--precision",
                                         "bf16",
                                         "--threads",
                                         "2",
                                         "--benchmark-warmup",
                                         "1",
                                         "--benchmark-iterations",
                                         "2",
                                         "--json",
                                         folder_ / "bench.json"});
    ASSERT_EQ(outcome.exit_status, 0) << outcome.err;
    EXPECT_NE(outcome.err.find("--threads 2: without effect"), std::string::npos) << outcome.err;
    const nlohmann::json result = nlohmann::json::parse(read_file(folder_ / "bench.json"));
    EXPECT_EQ(result["benchmark"], mode);
    EXPECT_EQ(result["replicas"], 2);
    EXPECT_EQ(result["precision"], "bf16");
    EXPECT_EQ(result["iterations"], 2);
    const nlohmann::json rate = result["images_per_s"];
    EXPECT_GT(rate["min"].get<double>(), 0);
    EXPECT_LE(rate["min"].get<double>(), rate["median"].get<double>());
    EXPECT_LE(rate["median"].get<double>(), rate["max"].get<double>());
    flops.push_back(result["gflop_per_image"].get<double>());
  }
  // Forward, by weight and by input, of which the first convolution needs none.
  EXPECT_NEAR(flops[1] / flops[0], 3, 0.05);
  EXPECT_LT(flops[1] / flops[0], 3);
}

TEST_F(Device, AreListedWithTheirPlugin) {
  const Outcome outcome = run_program({"devices", "--json", "-"});
  ASSERT_EQ(outcome.exit_status, 0) << outcome.err;
  bool found = false;
  for (const nlohmann::json& entry : nlohmann::json::parse(outcome.out)) {
    if (entry["device"] != device_) continue;
    found = true;
    EXPECT_EQ(entry["problem"], "");
    EXPECT_EQ(entry["platform"], "cpu");
    EXPECT_GE(entry["devices"].size(), 1u);
  }
  EXPECT_TRUE(found) << outcome.out;
}

TEST_F(Device, ThatCannotBeHadIsOneLineThatNamesIt) {
  write_file(folder_ / "text.so", "no library");
  struct Case {
    std::vector<std::string> device;
    int exit_status;
    std::string named;
  };
  for (const Case& wrong :
       {Case{{"pjrt:/no/such/plugin.so"}, 1, "/no/such/plugin.so"},
        Case{{"pjrt:" + (folder_ / "text.so")}, 1, "text.so"}, Case{{"abacus"}, 2, "abacus"},
        Case{{device_, "--cpu-devices", "2", "--replicas", "3"}, 1, "3 replicas"},
        Case{{device_, "--memory-fraction", "0.5"}, 1, "--memory-fraction"},
        Case{{"cpu", "--memory-fraction", "0.5"}, 2, "--memory-fraction"}}) {
    std::vector<std::string> arguments = {"bench", "infer", "--backbone", "resnet18", "--device"};
    arguments.insert(arguments.end(), wrong.device.begin(), wrong.device.end());
    const Outcome outcome = run_program(arguments);
    EXPECT_EQ(outcome.exit_status, wrong.exit_status) << outcome.err;
    EXPECT_EQ(count_lines(outcome.err), 1) << outcome.err;
    EXPECT_NE(outcome.err.find(wrong.named), std::string::npos) << outcome.err;
  }
}

}  // namespace
}  // namespace ssd
