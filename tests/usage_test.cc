// What every command owes its user: help, exit statuses, one line that says what went wrong.
#include <gtest/gtest.h>

#include "program.h"

namespace ssd {
namespace {

class Command : public testing::TestWithParam<const char*> {};

TEST_P(Command, ExplainsItself) {
  const Outcome outcome = run_program({GetParam(), "--help"});
  EXPECT_EQ(outcome.exit_status, 0) << outcome.err;
  EXPECT_NE(outcome.out.find(GetParam()), std::string::npos) << outcome.out;
  EXPECT_GT(count_lines(outcome.out), 4) << outcome.out;
}

TEST_P(Command, RefusesAnUnknownOption) {
  const Outcome outcome = run_program({GetParam(), "--no-such-option"});
  EXPECT_EQ(outcome.exit_status, 2) << outcome.err;
  EXPECT_FALSE(outcome.err.empty());
}

INSTANTIATE_TEST_SUITE_P(Every, Command,
                         testing::Values("train", "eval", "detect", "bench", "data", "compile", "devices",
                                         "verify"),
                         [](const auto& instance) { return std::string(instance.param); });

TEST(Usage, ListsTheCommands) {
  const Outcome outcome = run_program({"--help"});
  EXPECT_EQ(outcome.exit_status, 0);
  for (const char* command : {"train", "eval", "detect", "bench", "data", "compile", "devices", "verify"}) {
    EXPECT_NE(outcome.out.find(command), std::string::npos) << command;
  }
}

TEST(Usage, RefusesAnUnknownCommand) { EXPECT_EQ(run_program({"frobnicate"}).exit_status, 2); }

TEST(Usage, RefusesToRunWithoutACommand) { EXPECT_EQ(run_program({}).exit_status, 2); }

TEST(Usage, AFailureIsOneLineThatNamesTheFile) {
  const Outcome outcome = run_program({"data", "check", "/no/such/folder"});
  EXPECT_EQ(outcome.exit_status, 1);
  EXPECT_EQ(count_lines(outcome.err), 1) << outcome.err;
  EXPECT_NE(outcome.err.find("/no/such/folder"), std::string::npos) << outcome.err;
}

TEST(Usage, AnUnknownDeviceIsRefusedByName) {
  const Outcome outcome = run_program({"bench", "infer", "--device", "abacus"});
  EXPECT_NE(outcome.exit_status, 0);
  EXPECT_EQ(outcome.signal, 0);
  EXPECT_NE(outcome.err.find("abacus"), std::string::npos) << outcome.err;
}

TEST(Usage, OptionsThatWouldDoNothingAreRefused) {
  const std::string truth = sample_data() + "/annotations/instances_val2017.json";
  const Outcome outcome = run_program(
      {"eval", "--ground-truth", truth, "--detections", truth, "--save-detections", "/no/such/folder/x"});
  EXPECT_EQ(outcome.exit_status, 2) << outcome.err;
  EXPECT_NE(outcome.err.find("--save-detections"), std::string::npos) << outcome.err;
}

TEST(Usage, FakeDataRefusesWhatItWouldPassOver) {
  for (const std::vector<std::string>& other : {std::vector<std::string>{"--iterations", "1"},
                                                {"--epochs", "3"},
                                                {"--seed", "9"},
                                                {"--learning-rate", "5"},
                                                {"--data", "x"},
                                                {"--num-workers", "2"},
                                                {"--resume"}}) {
    std::vector<std::string> arguments = {"train", "--fake-data"};
    arguments.insert(arguments.end(), other.begin(), other.end());
    const Outcome outcome = run_program(arguments);
    EXPECT_EQ(outcome.exit_status, 2) << outcome.err;
    EXPECT_NE(outcome.err.find(other[0]), std::string::npos) << outcome.err;
  }
}

TEST(Usage, CompileRefusesBeforeItCompiles) {
  const TemporaryFolder folder;
  for (const char* output : {"--json", "--save-text", "--save-optimized", "--save-executable"}) {
    const Outcome outcome =
        run_program({"compile", "--target", "no such target", output, "/no/such/folder/x"});
    EXPECT_EQ(outcome.exit_status, 1) << outcome.err;
    EXPECT_NE(outcome.err.find("/no/such/folder/x"), std::string::npos) << outcome.err;
  }
  write_file(folder / "program.mlir", "");
  for (const std::vector<std::string>& step :
       {std::vector<std::string>{"--backbone", "resnet18"}, {"--batch-size", "2"}, {"--precision", "f32"}}) {
    const Outcome outcome = run_program(
        {"compile", "--target", "v5e:2x2", "--program", folder / "program.mlir", step[0], step[1]});
    EXPECT_EQ(outcome.exit_status, 2) << outcome.err;
    EXPECT_NE(outcome.err.find(step[0]), std::string::npos) << outcome.err;
  }
}

TEST(Usage, NumbersThatWouldOverflowAreRefused) {
  for (const std::vector<std::string>& wrong : {std::vector<std::string>{"--batch-size", "3000000000"},
                                                {"--accumulation", "1000000"},
                                                {"--batch-size", "65536", "--accumulation", "65536"},
                                                {"--iterations", "1e18"}}) {
    std::vector<std::string> arguments = {"train", "--data", sample_data(), "--backbone", "resnet18"};
    arguments.insert(arguments.end(), wrong.begin(), wrong.end());
    const Outcome outcome = run_program(arguments);
    EXPECT_EQ(outcome.exit_status, 2) << outcome.err;
    EXPECT_NE(outcome.err.find(wrong[0]), std::string::npos) << outcome.err;
  }
}

}  // namespace
}  // namespace ssd
