// Signals that come before there is anything to stop.
#include <gtest/gtest.h>

#include <csignal>
#include <string>

#include "program.h"

namespace ssd {
namespace {

TEST(Signals, RightAfterTheStartEndTrainingLikeLaterOnes) {
  const TemporaryFolder folder;
  make_small_data(folder / "data", 3);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) {
    RunningProgram program({"train", "--data", folder / "data", "--backbone", "resnet18", "--batch-size", "1",
                            "--iterations", "500", "--pretrained", "none", "--evaluation", "-1",
                            "--batch-norm-images", "2", "--save", folder / std::to_string(signal)});
    program.send_once_caught(signal);
    const Outcome stopped = program.wait();
    EXPECT_EQ(stopped.exit_status, 0) << signal << ": " << stopped.err;
    EXPECT_NE(stopped.err.find("stopped after step"), std::string::npos) << stopped.err;
  }
}

// A command that has nothing to bring to an end ends as any program does.
TEST(Signals, EndOtherCommandsAsTheyEndAnyProgram) {
  RunningProgram program({"bench", "data", "--data", sample_data(), "--repeats", "100000"});
  program.send_once_caught(SIGTERM);
  EXPECT_EQ(program.wait().signal, SIGTERM);
}

}  // namespace
}  // namespace ssd
