// `singleshot train`: runs that are cut off and resumed, workers, broken pictures.
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <sstream>
#include <thread>

#include "program.h"

namespace ssd {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> training(const std::string& run, int iterations,
                                  std::vector<std::string> more = {}) {
  std::vector<std::string> arguments = {"train",
                                        "--data",
                                        sample_data(),
                                        "--backbone",
                                        "resnet18",
                                        "--seed",
                                        "7",
                                        "--batch-size",
                                        "2",
                                        "--save",
                                        run,
                                        "--iterations",
                                        std::to_string(iterations)};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

fs::path checkpoint(const std::string& run, const std::string& step) {
  return fs::path(run) / "checkpoints" / ("step-" + step);
}

void expect_equal_checkpoints(const fs::path& a, const fs::path& b) {
  for (const char* name : {"model.safetensors", "optimizer.safetensors"}) {
    EXPECT_TRUE(read_file(a / name) == read_file(b / name)) << a << " and " << b << " differ in " << name;
  }
}

// The log's lines on steps: losses, learning rates.
std::string step_lines(const std::string& run) {
  std::istringstream log(read_file(fs::path(run) / "log.jsonl"));
  std::string steps;
  for (std::string line; std::getline(log, line);) {
    if (line.find(R"("event":"step")") != std::string::npos) steps += line + "\n";
  }
  return steps;
}

// Waits until a checkpoint folder or log shows that steps are being done.
void wait_for_file(const fs::path& file, RunningProgram& program) {
  for (int tenths = 0; tenths < 600 && program.running(); ++tenths) {
    if (fs::exists(file) && fs::file_size(file) > 0) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  FAIL() << file << " did not appear: " << program.wait().err;
}

TEST(Train, AResumedRunEqualsAnUninterruptedOne) {
  const TemporaryFolder folder;
  ASSERT_EQ(run_program(training(folder / "whole", 6)).exit_status, 0);

  ASSERT_EQ(run_program(training(folder / "cut", 3)).exit_status, 0);
  {
    RunningProgram killed(training(folder / "cut", 1000, {"--resume"}));
    std::this_thread::sleep_for(std::chrono::seconds(5));
    killed.send(SIGKILL);
    EXPECT_EQ(killed.wait().signal, SIGKILL);
  }
  const Outcome resumed = run_program(training(folder / "cut", 6, {"--resume"}));
  ASSERT_EQ(resumed.exit_status, 0) << resumed.err;
  expect_equal_checkpoints(checkpoint(folder / "whole", "000006"), checkpoint(folder / "cut", "000006"));
  EXPECT_EQ(count_lines(step_lines(folder / "whole")), 6);
  EXPECT_EQ(step_lines(folder / "whole"), step_lines(folder / "cut"));
}

TEST(Train, AnyNumberOfWorkersGivesTheSameWeights) {
  const TemporaryFolder folder;
  for (const char* workers : {"1", "2", "4"}) {
    const Outcome outcome = run_program(training(folder / workers, 3, {"--num-workers", workers}));
    ASSERT_EQ(outcome.exit_status, 0) << outcome.err;
  }
  expect_equal_checkpoints(checkpoint(folder / "1", "000003"), checkpoint(folder / "2", "000003"));
  expect_equal_checkpoints(checkpoint(folder / "1", "000003"), checkpoint(folder / "4", "000003"));
}

TEST(Train, TerminationLeavesACheckpointAndIsNoFailure) {
  const TemporaryFolder folder;
  RunningProgram program(training(folder / "run", 100000));
  wait_for_file(fs::path(folder / "run") / "log.jsonl", program);
  program.send(SIGTERM);
  const Outcome outcome = program.wait();
  EXPECT_EQ(outcome.exit_status, 0) << outcome.err;
  ASSERT_TRUE(fs::exists(fs::path(folder / "run") / "checkpoints"));
  EXPECT_FALSE(fs::is_empty(fs::path(folder / "run") / "checkpoints"));
}

TEST(Train, ABrokenPictureIsNamedAndReplaced) {
  const TemporaryFolder folder;
  fs::copy(sample_data(), folder / "data", fs::copy_options::recursive);
  int broken = 0;
  for (const auto& entry : fs::directory_iterator(folder / "data/train2017")) {
    if (++broken % 2 == 0) write_file(entry.path(), "not a picture");
  }
  const std::vector<std::string> common = {
      "train", "--data", folder / "data", "--backbone", "resnet18", "--batch-size", "2", "--iterations", "4"};
  std::vector<std::string> arguments = common;
  arguments.insert(arguments.end(), {"--save", folder / "run"});
  const Outcome outcome = run_program(arguments);
  EXPECT_EQ(outcome.exit_status, 0) << outcome.err;
  EXPECT_NE((outcome.out + outcome.err).find("BloodImage_"), std::string::npos) << outcome.out << outcome.err;

  arguments = common;
  arguments.insert(arguments.end(), {"--save", folder / "strict", "--on-bad-image", "fail"});
  const Outcome strict = run_program(arguments);
  EXPECT_EQ(strict.exit_status, 1);
  EXPECT_NE(strict.err.find("BloodImage_"), std::string::npos) << strict.err;
}

TEST(Train, RefusesARunFolderThatWouldMixTwoRuns) {
  const TemporaryFolder folder;
  ASSERT_EQ(run_program(training(folder / "run", 1)).exit_status, 0);
  const Outcome again = run_program(training(folder / "run", 1));
  EXPECT_EQ(again.exit_status, 1);
  EXPECT_NE(again.err.find("--resume"), std::string::npos) << again.err;
}

}  // namespace
}  // namespace ssd
