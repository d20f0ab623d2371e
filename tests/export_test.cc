// `singleshot export`: what it writes detects as the checkpoint does.
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "program.h"

namespace ssd {
namespace {

class Export : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new TemporaryFolder;
    make_small_data(*folder_ / "data", 2);
    const Outcome outcome = run_program(
        {"train", "--pretrained", "none", "--data", *folder_ / "data", "--backbone", "resnet18", "--stride-in",
         "3x3", "--preset", "reference", "--batch-size", "2", "--iterations", "1", "--batch-norm-images", "2",
         "--evaluation", "-1", "--seed", "3", "--save", *folder_ / "run"});
    ASSERT_EQ(outcome.exit_status, 0) << outcome.err;
  }
  static void TearDownTestSuite() { delete folder_; }

  static Outcome export_as(const std::string& format, const std::string& out,
                           const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments = {"export", "--checkpoint", *folder_ / "run", "--format",
                                          format,   "--out",        out};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_program(arguments);
  }
  // Of an image of the sample data.
  static nlohmann::json detections(const std::string& checkpoint) {
    const TemporaryFolder found;
    const Outcome outcome = run_program({"detect", "--checkpoint", checkpoint, "--score", "0.01", "--out",
                                         found.path().string(), "--no-drawings",
                                         sample_data() + "/val2017/BloodImage_00007.jpg"});
    EXPECT_EQ(outcome.exit_status, 0) << outcome.err;
    return nlohmann::json::parse(read_file(found / "detections.json"));
  }

  static inline TemporaryFolder* folder_ = nullptr;
};

TEST_F(Export, TensorFilesDetectAsTheCheckpointDoes) {
  const nlohmann::json expected = detections(*folder_ / "run");
  ASSERT_FALSE(expected.at(0).at("detections").empty()) << expected;
  for (const std::string format : {"torch", "safetensors"}) {
    const std::string file = *folder_ / format;
    const Outcome outcome = export_as(format, file);
    ASSERT_EQ(outcome.exit_status, 0) << outcome.err;
    EXPECT_EQ(count_lines(outcome.out), 1) << outcome.out;
    EXPECT_EQ(detections(file), expected) << format;
  }
}

TEST_F(Export, WhatCannotBeWrittenIsOneLine) {
  const Outcome dash = export_as("torch", "-");
  EXPECT_EQ(dash.exit_status, 2);
  EXPECT_EQ(count_lines(dash.err), 1) << dash.err;
  for (const std::string& out : {*folder_ / "no/such/file.pt", *folder_ / "run"}) {
    const Outcome outcome = export_as("torch", out);
    EXPECT_EQ(outcome.exit_status, 1) << out;
    EXPECT_EQ(count_lines(outcome.err), 1) << outcome.err;
    EXPECT_NE(outcome.err.find(out), std::string::npos) << outcome.err;
  }
}

}  // namespace
}  // namespace ssd
