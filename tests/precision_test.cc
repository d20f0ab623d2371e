// Networks in 8 bits (`singleshot quantize`) and in bf16: they find what the checkpoint finds in f32, and
// what stands in their way is one line.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "program.h"

namespace ssd {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr const char* isa = "ONEDNN_MAX_CPU_ISA";

double overlap(const Json& a, const Json& b) {
  const auto box = [](const Json& detection) { return detection.at("bbox").get<std::array<double, 4>>(); };
  const auto [left, top, width, height] = box(a);
  const auto [other_left, other_top, other_width, other_height] = box(b);
  const double across = std::min(left + width, other_left + other_width) - std::max(left, other_left);
  const double down = std::min(top + height, other_top + other_height) - std::max(top, other_top);
  const double both = std::max(across, 0.0) * std::max(down, 0.0);
  return both / (width * height + other_width * other_height - both);
}

class Precision : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new TemporaryFolder;
    make_small_data(*folder_ / "data", 8);
    const Outcome outcome =
        run_program(small_training(*folder_ / "data", *folder_ / "run",
                                   {"--batch-size", "4", "--iterations", "20", "--learning-rate", "0.01",
                                    "--warmup", "5", "--batch-norm-images", "8", "--seed", "3"}));
    ASSERT_EQ(outcome.exit_status, 0) << outcome.err;
    const Outcome made = quantize(*folder_ / "q");
    ASSERT_EQ(made.exit_status, 0) << made.err;
    EXPECT_EQ(count_lines(made.out), 1) << made.out;
  }
  static void TearDownTestSuite() { delete folder_; }
  void TearDown() override { unsetenv(isa); }

  static Outcome quantize(const std::string& out, const std::vector<std::string>& more = {}) {
    return run_program(with({"quantize", "--checkpoint", *folder_ / "run", "--data", *folder_ / "data",
                             "--images", "8", "--out", out},
                            more));
  }
  static Outcome evaluate(const std::string& checkpoint, const std::string& detections,
                          const std::vector<std::string>& more = {}) {
    return run_program(with(
        {"eval", "--checkpoint", checkpoint, "--data", *folder_ / "data", "--save-detections", detections},
        more));
  }
  // Whether detections hold what those of the checkpoint in f32 are sure of.
  static void expect_what_f32_finds(const std::string& detections) {
    ASSERT_EQ(evaluate(*folder_ / "run", *folder_ / "f32.json").exit_status, 0);
    const Json found = Json::parse(read_file(detections));
    int wanted = 0, agreed = 0;
    for (const Json& one : Json::parse(read_file(*folder_ / "f32.json"))) {
      if (one.at("score") < 0.3) continue;
      ++wanted;
      agreed += std::ranges::any_of(found, [&](const Json& other) {
        return other.at("image_id") == one.at("image_id") &&
               other.at("category_id") == one.at("category_id") && overlap(one, other) > 0.5 &&
               std::abs(other.at("score").get<double>() - one.at("score").get<double>()) < 0.1;
      });
    }
    EXPECT_GE(wanted, 10);
    EXPECT_GE(agreed, 0.9 * wanted) << "of " << wanted;
  }
  // Of a processor without products of bf16.
  static bool refuses_bf16(const Outcome& outcome) {
    return outcome.exit_status == 1 && outcome.err.find("AVX512_BF16 or AMX") != std::string::npos;
  }
  // Of a processor without VNNI, which oneDNN can be made to take this one for.
  static bool refuses(const Outcome& outcome) {
    return outcome.exit_status == 1 && outcome.err.find("VNNI") != std::string::npos &&
           outcome.err.find("got a quantised network") != std::string::npos;
  }

  static inline TemporaryFolder* folder_ = nullptr;
};

TEST_F(Precision, QuantisedItFindsWhatTheCheckpointFinds) {
  const Outcome quantised = evaluate(*folder_ / "q", *folder_ / "q.json");
  if (refuses(quantised)) GTEST_SKIP() << quantised.err;
  ASSERT_EQ(quantised.exit_status, 0) << quantised.err;
  expect_what_f32_finds(*folder_ / "q.json");
}

TEST_F(Precision, DetectAndBenchTakeAQuantisedCheckpoint) {
  const std::string image = sample_data() + "/val2017/BloodImage_00007.jpg";
  const Outcome detected = run_program(
      {"detect", "--checkpoint", *folder_ / "q", "--out", *folder_ / "out", "--no-drawings", image});
  if (refuses(detected)) GTEST_SKIP() << detected.err;
  EXPECT_EQ(detected.exit_status, 0) << detected.err;
  const Outcome bench = run_program({"bench", "infer", "--checkpoint", *folder_ / "q", "--batch-size", "1",
                                     "--benchmark-warmup", "0", "--benchmark-iterations", "1"});
  EXPECT_EQ(bench.exit_status, 0) << bench.err;
  EXPECT_NE(bench.out.find("\"precision\":\"int8\""), std::string::npos) << bench.out;
  EXPECT_EQ(
      run_program({"bench", "infer", "--checkpoint", *folder_ / "q", "--backbone", "resnet18"}).exit_status,
      2);
  EXPECT_EQ(run_program({"bench", "infer", "--stride-in", "1x1"}).exit_status, 2);
}

TEST_F(Precision, QuantisedItIsRefusedWhereTheProcessorHasNoVnni) {
  setenv(isa, "AVX2", 1);
  const Outcome outcome = evaluate(*folder_ / "q", *folder_ / "none.json");
  EXPECT_TRUE(refuses(outcome)) << outcome.err;
  EXPECT_EQ(quantize(*folder_ / "again").exit_status, 0) << "it can be made there";
}

TEST_F(Precision, AFolderThatIsNoQuantisedCheckpointStays) {
  fs::create_directory(*folder_ / "mine");
  write_file(fs::path(*folder_ / "mine") / "letter.txt", "dear");
  const Outcome outcome = quantize(*folder_ / "mine");
  EXPECT_EQ(outcome.exit_status, 1);
  EXPECT_EQ(count_lines(outcome.err), 1) << outcome.err;
  EXPECT_EQ(read_file(fs::path(*folder_ / "mine") / "letter.txt"), "dear");
}

TEST_F(Precision, WhatNeedsTheF32CheckpointSaysSo) {
  const Outcome exported = run_program(
      {"export", "--checkpoint", *folder_ / "q", "--format", "onnx", "--out", *folder_ / "q.onnx"});
  EXPECT_EQ(exported.exit_status, 1);
  EXPECT_NE(exported.err.find("is quantised"), std::string::npos) << exported.err;
}

TEST_F(Precision, InBf16ItFindsWhatTheCheckpointFinds) {
  const Outcome outcome = evaluate(*folder_ / "run", *folder_ / "bf16.json", {"--precision", "bf16"});
  if (refuses_bf16(outcome)) GTEST_SKIP() << outcome.err;
  ASSERT_EQ(outcome.exit_status, 0) << outcome.err;
  expect_what_f32_finds(*folder_ / "bf16.json");
}

// The same images and weights: the losses differ by rounding alone.
TEST_F(Precision, TrainingInBf16FollowsTrainingInF32) {
  std::vector<std::vector<double>> losses;
  for (const char* precision : {"f32", "bf16"}) {
    const Outcome outcome = run_program(small_training(
        *folder_ / "data", *folder_ / precision,
        {"--batch-size", "4", "--iterations", "4", "--precision", precision, "--batch-norm-images", "0"}));
    if (refuses_bf16(outcome)) GTEST_SKIP() << outcome.err;
    ASSERT_EQ(outcome.exit_status, 0) << outcome.err;
    losses.push_back(losses_of(*folder_ / precision));
  }
  ASSERT_EQ(losses[0].size(), 4u);
  ASSERT_EQ(losses[1].size(), 4u);
  for (std::size_t i = 0; i < losses[0].size(); ++i) EXPECT_NEAR(losses[1][i] / losses[0][i], 1, 0.02) << i;
  EXPECT_NE(losses[0], losses[1]);
}

TEST_F(Precision, Bf16IsRefusedWhereTheProcessorHasNoneOrTheNetworkIsQuantised) {
  const Outcome quantised = evaluate(*folder_ / "q", *folder_ / "none.json", {"--precision", "bf16"});
  EXPECT_EQ(quantised.exit_status, 1);
  EXPECT_TRUE(refuses_bf16(quantised) || quantised.err.find("leave --precision out") != std::string::npos)
      << quantised.err;
  setenv(isa, "AVX2", 1);
  const Outcome outcome = evaluate(*folder_ / "run", *folder_ / "none.json", {"--precision", "bf16"});
  EXPECT_TRUE(refuses_bf16(outcome)) << outcome.err;
}

// PyTorch's float64 values, with the tolerances of bf16.
TEST(Verify, ResNet18HoldsInBf16) {
  if (shared_file("golden/resnet18.json").empty()) GTEST_SKIP() << "../shared/golden is missing";
  const Outcome outcome = run_program({"verify", shared_file("golden") + "/resnet18", "--precision", "bf16"});
  if (outcome.err.find("AVX512_BF16 or AMX") != std::string::npos) GTEST_SKIP() << outcome.err;
  EXPECT_EQ(outcome.exit_status, 0) << outcome.out << outcome.err;
}

}  // namespace
}  // namespace ssd
