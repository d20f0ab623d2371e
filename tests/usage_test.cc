// What every command owes its user: help, exit statuses, one line that says what went wrong.
#include <gtest/gtest.h>

#include <regex>
#include <sstream>
#include <string>
#include <vector>

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
                         testing::Values("train", "eval", "detect", "export", "quantize", "bench", "data",
                                         "compile", "devices", "verify"),
                         [](const auto& instance) { return std::string(instance.param); });

// The commands that do something, as a user types them.
const std::vector<std::vector<std::string>> whole_commands = {{"train"},
                                                              {"eval"},
                                                              {"detect"},
                                                              {"export"},
                                                              {"quantize"},
                                                              {"bench", "train"},
                                                              {"bench", "infer"},
                                                              {"bench", "data"},
                                                              {"data", "check"},
                                                              {"data", "cache"},
                                                              {"data", "import", "voc"},
                                                              {"data", "import", "yolo"},
                                                              {"data", "download", "coco2017"},
                                                              {"compile"},
                                                              {"devices"},
                                                              {"verify"}};

std::string help_of(std::vector<std::string> command) {
  command.push_back("--help");
  return run_program(command).out;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

TEST(Help, AnOptionIsOneLineInAGroup) {
  std::vector<std::vector<std::string>> all = whole_commands;
  for (const char* above : {"bench", "data"}) all.push_back({above});
  all.push_back({});
  for (const std::vector<std::string>& command : all) {
    const std::string help = help_of(command);
    int options = 0;
    for (const std::string& line : lines_of(help)) {
      EXPECT_LE(line.size(), 110u) << line;
      EXPECT_FALSE(line.starts_with("    ")) << "a wrapped line: " << line;
      if (!line.starts_with("  -")) continue;
      ++options;
      EXPECT_NE(line.find("  ", 2), std::string::npos) << "no text: " << line;
    }
    EXPECT_GT(options, 0) << help;
    for (const char* noise : {"Excludes", "Needs", "REQUIRED", "TEXT:", "\nOptions:"})
      EXPECT_EQ(help.find(noise), std::string::npos) << noise << " in\n" << help;
    EXPECT_TRUE(help.find("\nGeneral:\n  -h, --help") != std::string::npos) << help;
  }
}

TEST(Help, GroupsOfTrainComeInTheirOrder) {
  const std::string help = help_of({"train"});
  std::size_t before = 0;
  for (const char* group :
       {"Input", "Network", "Optimisation", "Evaluation", "Measurement", "Output", "Device", "General"}) {
    const std::size_t at = help.find("\n" + std::string(group) + ":\n");
    ASSERT_NE(at, std::string::npos) << group << " in\n" << help;
    EXPECT_GT(at, before) << group;
    EXPECT_EQ(help.find("\n" + std::string(group) + ":\n", at + 1), std::string::npos) << group << " twice";
    before = at;
  }
  for (const char* optimizers :
       {"--optimizer", "--momentum", "--beta1", "--beta2", "--epsilon", "--weight-decay"}) {
    EXPECT_GT(help.find(optimizers), help.find("\nOptimisation:\n")) << optimizers;
    EXPECT_LT(help.find(optimizers), help.find("\nEvaluation:\n")) << optimizers;
  }
}

TEST(Help, ShowsDefaultsAndTellsInTheUsageLineWhatIsRequired) {
  EXPECT_NE(help_of({"train"}).find("Passes over the training set [65]\n"), std::string::npos);
  EXPECT_NE(help_of({"train"}).find(" [43 54]\n"), std::string::npos);
  const std::string detect = help_of({"detect"});
  EXPECT_NE(detect.find("Usage: singleshot detect IMAGES... --checkpoint PATH --out FOLDER [OPTIONS]\n"),
            std::string::npos)
      << detect;
}

TEST(Help, TheManualIsCurrentAndHasEveryOption) {
  const std::string manual = run_program({"--help-markdown"}).out;
  EXPECT_TRUE(manual == read_file(SSD_SOURCE_DIR "/docs/cli.md")) << "run scripts/docs";
  for (const std::vector<std::string>& command : whole_commands) {
    std::string title = "\n### singleshot";
    for (const std::string& word : command) title += " " + word;
    const std::size_t begin = manual.find(title + "\n");
    ASSERT_NE(begin, std::string::npos) << title;
    const std::string section = manual.substr(begin, manual.find("\n#", begin + 2) - begin);
    for (const std::string& line : lines_of(help_of(command))) {
      if (!line.starts_with("  -") || line.starts_with("  -h,")) continue;
      const std::string names = line.substr(2, line.find("  ", 2) - 2);
      EXPECT_NE(section.find("- `" + names + "`: "), std::string::npos) << title << names;
    }
  }
}

TEST(Usage, VersionNamesTheProgramFirstAndThenItsLibraries) {
  const Outcome outcome = run_program({"--version"});
  EXPECT_EQ(outcome.exit_status, 0) << outcome.err;
  const std::vector<std::string> lines = lines_of(outcome.out);
  ASSERT_GE(lines.size(), 4u) << outcome.out;
  EXPECT_TRUE(std::regex_match(lines[0], std::regex("singleshot [0-9]+\\.[0-9]+\\.[0-9]+"))) << lines[0];
  for (const char* library : {"\noneDNN [0-9]+\\.[0-9]+\\.[0-9]+\n", "\nlibjpeg-turbo [0-9]+\\.[0-9.]+\n",
                              "\nPJRT C API ([0-9]+\\.[0-9]+|none)\n"})
    EXPECT_TRUE(std::regex_search(outcome.out, std::regex(library))) << library << " in\n" << outcome.out;
}

TEST(Usage, ListsTheCommands) {
  const Outcome outcome = run_program({"--help"});
  EXPECT_EQ(outcome.exit_status, 0);
  for (const char* command :
       {"train", "eval", "detect", "export", "quantize", "bench", "data", "compile", "devices", "verify"}) {
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

TEST(Usage, OptionsOfFakeDataNeedIt) {
  for (const char* option : {"--benchmark-warmup", "--benchmark-iterations"}) {
    const Outcome outcome = run_program({"train", "--data", sample_data(), option, "3"});
    EXPECT_EQ(outcome.exit_status, 2) << outcome.err;
    EXPECT_EQ(count_lines(outcome.err), 1) << outcome.err;
    EXPECT_NE(outcome.err.find(option), std::string::npos) << outcome.err;
    EXPECT_NE(outcome.err.find("--fake-data"), std::string::npos) << outcome.err;
  }
}

TEST(Usage, AnOptimizerRefusesOptionsOfAnother) {
  for (const std::vector<std::string>& wrong : {std::vector<std::string>{"--momentum", "0.9", "adamw"},
                                                {"--beta1", "0.9", "lars"},
                                                {"--trust-coefficient", "0.01", "sgd"},
                                                {"--beta2", "0.999", "sgd"},
                                                {"--epsilon", "1e-8", "sgd"}}) {
    const Outcome outcome =
        run_program({"train", "--data", "/no/such/folder", "--optimizer", wrong[2], wrong[0], wrong[1]});
    EXPECT_EQ(outcome.exit_status, 2) << outcome.err;
    EXPECT_EQ(count_lines(outcome.err), 1) << outcome.err;
    EXPECT_NE(outcome.err.find(wrong[0] + ": "), std::string::npos) << outcome.err;
    EXPECT_NE(outcome.err.find(wrong[2]), std::string::npos) << outcome.err;
  }
  // Its own are taken: what is wrong then is the folder.
  for (const std::vector<std::string>& right : {std::vector<std::string>{"--momentum", "0.8", "sgd"},
                                                {"--beta1", "0.8", "adamw"},
                                                {"--epsilon", "1e-6", "adamw"}})
    EXPECT_EQ(run_program({"train", "--data", "/no/such/folder", "--optimizer", right[2], right[0], right[1]})
                  .exit_status,
              1)
        << right[0];
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
