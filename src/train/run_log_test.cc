#include "train/run_log.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <fstream>
#include <string>
#include <vector>

#include "base/error.h"
#include "testing/file_content.h"
#include "testing/temporary_folder.h"
#include "train/run_record.h"

namespace ssd {
namespace {

TEST(RunLog, DropsLinesOfStepsThatWillBeDoneAgain) {
  const TemporaryFolder folder;
  const std::filesystem::path run = folder.path() / "run";
  {
    RunLog log(run, 0);
    for (const char* line :
         {R"({"event":"step","step":1})", R"({"event":"step","step":2})", R"({"event":"step","step":3})"})
      log.write(line);
  }
  std::ofstream(run / "log.jsonl", std::ios::app) << R"({"event":"st)";  // cut short by a kill
  RunLog(run, 2).write(R"({"event":"step","step":3,"again":true})");
  std::ifstream stream(run / "log.jsonl");
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[1], R"({"event":"step","step":2})");
  EXPECT_EQ(lines[2], R"({"event":"step","step":3,"again":true})");
}

TEST(RunLog, DropsAndCountsLinesThatNoRunHasWritten) {
  const TemporaryFolder folder;
  const std::filesystem::path log = folder.path() / "log.jsonl";
  std::ofstream(log) << R"({"event":"step","step":1})"
                        "\n"
                        R"({"event":"step","step":"x"})"
                        "\n"
                        R"({"event":"step","step":-1})"
                        "\n"
                        R"({"event":"step","step":1e308})"
                        "\n"
                        R"({"event":7,"step":1})"
                        "\n"
                        "[1]\nnull\n\n"
                        R"({"step":1})"
                        "\n"
                     << std::string(std::size_t{17} << 20, '[') << "\n"
                     << R"({"event":"evaluation","step":2})"
                        "\n";
  std::string warning;
  {
    RunRecord record(folder.path(), 2, [&](const std::string& line) { warning = line; });
    EXPECT_EQ(record.last_evaluation(), 2);
  }
  EXPECT_NE(warning.find("log.jsonl: 9 lines"), std::string::npos) << warning;
  EXPECT_EQ(content_of(log), R"({"event":"step","step":1})"
                             "\n"
                             R"({"event":"evaluation","step":2})"
                             "\n");
}

TEST(RunLog, RefusesALinkAndLeavesOtherNamesOfAFileAsTheyAre) {
  const TemporaryFolder folder;
  const std::filesystem::path log = folder.path() / "log.jsonl", other = folder.path() / "other";
  std::ofstream(other) << "kept";
  std::filesystem::create_symlink(other, log);
  EXPECT_THROW(RunLog(folder.path(), 0), Error);
  std::filesystem::remove(log);
  std::filesystem::create_hard_link(other, log);
  RunLog(folder.path(), 0).write("{}");
  EXPECT_EQ(std::filesystem::file_size(other), 4u);
}

TEST(RunRecord, GoesOnWithoutWhatCannotBeWritten) {
  const TemporaryFolder folder;
  const auto before = std::signal(SIGXFSZ, SIG_IGN);
  rlimit old{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old), 0);
  int warnings = 0;
  RunRecord record(folder.path(), 0, [&](const std::string&) { ++warnings; });
  const rlimit none{.rlim_cur = 0, .rlim_max = old.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &none), 0);
  for (int step = 1; step < 4; ++step) record.step({.step = step});
  ::setrlimit(RLIMIT_FSIZE, &old);
  record.step({.step = 4});
  std::signal(SIGXFSZ, before);
  EXPECT_EQ(warnings, 2) << "of the log and of the curves";
  std::ifstream stream(folder.path() / "log.jsonl");
  std::string line;
  std::getline(stream, line);
  EXPECT_NE(line.find(R"("step":4)"), std::string::npos) << line;
}

}  // namespace
}  // namespace ssd
