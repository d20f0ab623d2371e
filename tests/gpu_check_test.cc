// scripts/gpu-check, without a GPU: nvidia-smi, the peer and nsys are stand-ins, and for its logic singleshot
// too.
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <nlohmann/json.hpp>

#include "program.h"

namespace ssd {
namespace {

namespace fs = std::filesystem;

constexpr const char* script = SSD_SOURCE_DIR "/scripts/gpu-check";

// nvidia-smi, nsys, peer.py, singleshot, and what XLA's dump of a step looks like.
constexpr const char* stand_ins = SSD_SOURCE_DIR "/tests/gpu_check";

class GpuCheck : public testing::Test {
 protected:
  void SetUp() override {
    if (run_program({"-c", ""}, "python3").exit_status != 0) GTEST_SKIP() << "no python3";
  }

  std::string executable(const std::string& name, const std::string& text) {
    fs::create_directories(fs::path(folder_ / name).parent_path());
    write_file(folder_ / name, text);
    fs::permissions(folder_ / name, fs::perms::owner_all);
    return folder_ / name;
  }

  // Runs it with the stand-ins first on PATH; what it wrote with --json is in report_.
  Outcome check(std::vector<std::string> arguments) {
    const std::vector<std::string> common = {
        "PATH=" + folder_.path().string() + ":" + stand_ins + ":" + std::getenv("PATH"),
        "XDG_CACHE_HOME=" SSD_TEST_CACHE,
        script,
        "--peer",
        stand_ins + std::string("/peer.py"),
        "--python",
        "python3",
        "--json",
        folder_ / "report.json"};
    arguments.insert(arguments.begin(), common.begin(), common.end());
    Outcome outcome = run_program(arguments, "env");
    if (fs::exists(folder_ / "report.json"))
      report_ = nlohmann::json::parse(read_file(folder_ / "report.json"));
    return outcome;
  }

  // Each check's status.
  std::map<std::string, std::string> statuses() const {
    std::map<std::string, std::string> result;
    for (const nlohmann::json& check : report_.at("checks")) result[check["check"]] = check["status"];
    return result;
  }

  const TemporaryFolder folder_;
  nlohmann::json report_;
};

// Runs it where PATH has nothing else.
Outcome check_with_path(const std::string& path, const std::string& which = script) {
  const std::string python = "import os, sys; os.environ['PATH'] = '" + path +
                             "'; os.execv(sys.executable, [sys.executable, '" + which + "'])";
  return run_program({"-c", python}, "python3");
}

TEST_F(GpuCheck, WithoutAGpuSaysSoInOneLine) {
  executable("nvidia-smi", "#!/bin/sh\necho No devices were found; exit 6\n");
  for (const auto& [outcome, expected] : {std::pair(check({}), "No devices were found"),
                                          std::pair(check_with_path("/nowhere"), "nvidia-smi: not found")}) {
    EXPECT_EQ(outcome.exit_status, 1);
    EXPECT_EQ(count_lines(outcome.err), 1) << outcome.err;
    EXPECT_NE(outcome.err.find(expected), std::string::npos) << outcome.err;
  }
}

// In a source tree without a built program, whose setup fails for want of a network.
TEST_F(GpuCheck, BuildsTheProgramOrSaysWhatIsMissing) {
  for (const char* name : {"gpu-check", "gpu_profile.py"}) {
    fs::create_directories(folder_ / "scripts");
    fs::copy_file(SSD_SOURCE_DIR "/scripts/" + std::string(name), folder_ / ("scripts/" + std::string(name)));
  }
  executable("scripts/setup", "#!/bin/sh\necho no network >&2; exit 1\n");
  executable("scripts/build", "#!/bin/sh\necho no oneDNN; exit 1\n");
  const Outcome bare = check_with_path(stand_ins, folder_ / "scripts/gpu-check");
  EXPECT_EQ(bare.exit_status, 1);
  EXPECT_EQ(count_lines(bare.err), 1) << bare.err;
  for (const char* part : {"g++, cmake, ninja", "no network", "--program"})
    EXPECT_NE(bare.err.find(part), std::string::npos) << bare.err;

  for (const char* tool : {"g++", "cmake", "ninja", "pkg-config"}) executable(tool, "#!/bin/sh\n");
  const std::string tools = folder_.path().string() + ":" + stand_ins;
  const Outcome unbuilt = check_with_path(tools, folder_ / "scripts/gpu-check");
  EXPECT_EQ(unbuilt.exit_status, 1);
  EXPECT_EQ(count_lines(unbuilt.err), 1) << unbuilt.err;
  for (const char* part : {"no oneDNN", "no network", "--program"})
    EXPECT_NE(unbuilt.err.find(part), std::string::npos) << unbuilt.err;

  executable("scripts/build",
             std::string("#!/bin/sh\ncd \"$(dirname \"$0\")/..\"; mkdir -p build/release && cp ") +
                 stand_ins + "/singleshot build/release\n");
  const Outcome built = run_program(
      {"PATH=" + tools + ":" + std::getenv("PATH"), folder_ / "scripts/gpu-check", "--parts", "devices"},
      "env");
  EXPECT_EQ(built.exit_status, 0) << built.out << built.err;
  EXPECT_NE(built.out.find("1 ok, 0 FAILED"), std::string::npos) << built.out;
}

TEST_F(GpuCheck, AProgramThatIsNotThereOrDoesNotStartIsNamed) {
  for (const std::string& program :
       {folder_ / "nowhere", executable("broken", "#!/bin/sh\necho no libx >&2; exit 127\n")}) {
    const Outcome outcome = check({"--program", program});
    EXPECT_EQ(outcome.exit_status, 1);
    EXPECT_EQ(count_lines(outcome.err), 1) << outcome.err;
    EXPECT_NE(outcome.err.find(fs::path(program).filename()), std::string::npos) << outcome.err;
  }
}

TEST_F(GpuCheck, ReportsEveryPartThoughSomeFallShort) {
  write_file(folder_ / "resnet18.json", "{}");
  const Outcome outcome = check({"--program", stand_ins + std::string("/singleshot"), "--golden",
                                 folder_.path(), "--train-batches", "64", "128", "256", "--quick"});
  EXPECT_EQ(outcome.exit_status, 1) << outcome.err;
  const std::map<std::string, std::string> expected = {{"devices", "ok"},
                                                       {"verify resnet18 f32", "ok"},
                                                       {"verify resnet18 bf16", "FAILED"},
                                                       {"verify resnet50 f32", "skipped"},
                                                       {"verify resnet50 bf16", "skipped"},
                                                       {"train singleshot batch 64 turn 1", "ok"},
                                                       {"train peer batch 64 turn 1", "ok"},
                                                       {"train singleshot batch 128 turn 1", "ok"},
                                                       {"train peer batch 128 turn 1", "ok"},
                                                       {"train singleshot batch 256 turn 1", "skipped"},
                                                       {"train peer batch 256 turn 1", "ok"},
                                                       {"ratio of training, best batch", "FAILED"},
                                                       {"infer singleshot batch 1 turn 1", "ok"},
                                                       {"infer peer batch 1 turn 1", "ok"},
                                                       {"infer singleshot batch 64 turn 1", "ok"},
                                                       {"infer peer batch 64 turn 1", "ok"},
                                                       {"ratio of inference, batch 1", "ok"},
                                                       {"ratio of inference, batch 64", "ok"},
                                                       {"profile utilisation", "ok"},
                                                       {"profile program", "ok"},
                                                       {"profile kernels", "ok"}};
  EXPECT_EQ(statuses(), expected) << outcome.out << outcome.err;
  EXPECT_FALSE(report_["ok"].get<bool>());
  // Each side at its best batch size: 10 * 128 against 9 * 256.
  EXPECT_NEAR(report_["ratios"][0]["ratio"].get<double>(), 1280.0 / 2304, 1e-9);
  EXPECT_NEAR(report_["ratios"][1]["ratio"].get<double>(), 10.0 / 3, 1e-9);
}

TEST_F(GpuCheck, ProfileSaysWhatTheStepIsMadeOf) {
  const Outcome outcome = check({"--program", stand_ins + std::string("/singleshot"), "--parts", "profile",
                                 "--train-batches", "128", "--quick"});
  EXPECT_EQ(outcome.exit_status, 0) << outcome.out << outcome.err;
  EXPECT_TRUE(report_["ok"].get<bool>());
  const nlohmann::json profile = report_.at("profile");
  EXPECT_EQ(profile["utilisation"]["utilization.gpu"], 97.0);
  EXPECT_FALSE(profile["utilisation"].contains("clocks.sm"));  // [N/A]
  // A convolution of 2*4*4*8 numbers by 8*8*3*3 weights in bf16, and a ReLU in f32, fused, in a called
  // computation.
  const nlohmann::json categories = profile["program"]["by_category"];
  ASSERT_EQ(categories.size(), 2u) << categories;
  EXPECT_EQ(categories[0]["category"], "convolution");
  EXPECT_NEAR(categories[0]["gigabytes"].get<double>(), 1e-9 * 2 * (256 + 576 + 256), 1e-15);
  EXPECT_EQ(categories[1]["category"], "elementwise in a fusion");
  EXPECT_NEAR(categories[1]["gigabytes"].get<double>(), 1e-9 * 2 * 4 * 256, 1e-15);
  EXPECT_EQ(profile["program"]["convolution_results"], nlohmann::json({{"bf16", 1}}));
  EXPECT_EQ(profile["kernels"]["kernels"][0]["kernel"], "sm90_xmma_fprop, of bf16");
  EXPECT_NEAR(profile["kernels"]["milliseconds_per_step"].get<double>(), 20.0 / 25, 1e-9);
}

// The whole of it with the real program, on the CPU.
TEST_F(GpuCheck, GoesThroughOnAnotherDevice) {
  if (cpu_plugin().empty()) GTEST_SKIP() << "no PJRT CPU plugin under .deps/pjrt: run scripts/setup";
  const Outcome outcome =
      check({"--program", SSD_PROGRAM, "--device", "pjrt:" + cpu_plugin(), "--backbone", "resnet18",
             "--golden", folder_.path(), "--train-batches", "1", "--infer-batches", "1", "--warmup", "0",
             "--iterations", "1", "--target", "1e-3", "--quick"});
  EXPECT_EQ(outcome.exit_status, 0) << outcome.out << outcome.err;
  for (const char* check :
       {"devices", "train singleshot batch 1 turn 1", "ratio of training, best batch",
        "infer singleshot batch 1 turn 1", "ratio of inference, batch 1", "profile program"})
    EXPECT_EQ(statuses()[check], "ok") << check << "\n" << outcome.out;
  EXPECT_EQ(report_["train"][0]["result"]["precision"], "bf16");
  int convolutions = 0;
  for (const auto& [type, count] : report_["profile"]["program"]["convolution_results"].items())
    convolutions += count.get<int>();
  EXPECT_GT(convolutions, 3 * 20) << outcome.out;  // forward, by input, by weight
}

}  // namespace
}  // namespace ssd
