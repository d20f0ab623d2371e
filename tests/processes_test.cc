// Several processes, started by mpirun.
#include <gtest/gtest.h>

#include <cmath>
#include <csignal>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <thread>

#include "program.h"

namespace ssd {
namespace {

namespace fs = std::filesystem;

std::string quoted(const std::string& text) { return "'" + text + "'"; }

class Processes : public testing::Test {
 protected:
  void SetUp() override {
    if (!fs::exists(fs::path(SSD_PROGRAM).parent_path() / "singleshot_mpi.so"))
      GTEST_SKIP() << "built without MPI: apt-get install libopenmpi-dev, and configure anew";
    for (const char* allowed : {"OMPI_ALLOW_RUN_AS_ROOT", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"})
      ::setenv(allowed, "1", 1);
    const Outcome started = run_program({"--oversubscribe", "-n", "2", "true"}, "mpirun");
    if (started.exit_status != 0)
      GTEST_SKIP() << "mpirun does not start processes here; apt-get install openmpi-bin: " << started.err;
    make_small_data(folder_ / "data", 8);
  }

  // What mpirun is told; each process leaves its id in a file "process-RANK". `more` may use the shell's
  // $RANK.
  std::vector<std::string> launch(int processes, const std::vector<std::string>& arguments,
                                  const std::string& more = "") const {
    std::string line = "RANK=$OMPI_COMM_WORLD_RANK; echo $$ > " + quoted(folder_ / "process-") +
                       "$RANK; exec " + quoted(SSD_PROGRAM);
    for (const std::string& argument : arguments) line += " " + quoted(argument);
    return {"--oversubscribe", "-n", std::to_string(processes), "sh", "-c", line + " " + more};
  }
  Outcome run(int processes, const std::vector<std::string>& arguments, const std::string& more = "") const {
    return run_program(launch(processes, arguments, more), "mpirun");
  }

  std::vector<std::string> training(const std::string& run, int batch, int steps) const {
    return {"train",
            "--data",
            folder_ / "data",
            "--backbone",
            "resnet18",
            "--pretrained",
            "none",
            "--batch-norm-images",
            "0",
            "--learning-rate",
            "1e-4",
            "--evaluation",
            "-1",
            "--batch-size",
            std::to_string(batch),
            "--iterations",
            std::to_string(steps),
            "--save",
            folder_ / run,
            "--threads",
            "1"};
  }
  std::vector<double> losses(const std::string& run) const { return losses_of(folder_ / run); }
  // What an evaluation of the run "two" writes.
  std::string evaluated(int processes, const std::vector<std::string>& more) const {
    const std::vector<std::string> evaluation =
        with({"eval", "--data", folder_ / "data", "--checkpoint", folder_ / "two", "--save-detections",
              folder_ / "found.json"},
             more);
    const Outcome outcome = processes == 1 ? run_program(evaluation) : run(processes, evaluation);
    EXPECT_EQ(outcome.exit_status, 0) << outcome.err;
    return outcome.out + read_file(folder_ / "found.json");
  }
  ::pid_t process(int rank) const {
    return static_cast<::pid_t>(std::stol(read_file(folder_ / ("process-" + std::to_string(rank)))));
  }

  TemporaryFolder folder_;
};

TEST_F(Processes, TrainAsOneDoesAtTheSameGlobalBatch) {
  const Outcome alone = run_program(training("one", 4, 2));
  ASSERT_EQ(alone.exit_status, 0) << alone.err;
  for (const char* name : {"two", "again"}) {
    const Outcome together = run(2, with(training(name, 2, 2), {"--sync-batch-norm", "2"}));
    ASSERT_EQ(together.exit_status, 0) << together.err;
  }
  const std::vector<double> one = losses("one"), two = losses("two");
  ASSERT_EQ(two.size(), 2u);
  EXPECT_NEAR(two[0] / one[0], 1, 1e-5);
  EXPECT_NEAR(two[1] / one[1], 1, 1e-4);
  EXPECT_EQ(read_file(checkpoint(folder_ / "two", "000002") / "model.safetensors"),
            read_file(checkpoint(folder_ / "again", "000002") / "model.safetensors"));

  // Another number of processes goes on, and any number evaluates to the same bytes.
  const Outcome resumed = run(4, with(training("two", 1, 3), {"--sync-batch-norm", "4", "--resume"}));
  EXPECT_EQ(resumed.exit_status, 0) << resumed.err;
  EXPECT_NE(resumed.err.find("resuming after step 2"), std::string::npos) << resumed.err;
  EXPECT_EQ(losses("two").size(), 3u);
  std::vector<std::string> found;
  for (const int processes : {1, 2, 3}) {
    found.push_back(evaluated(processes, {"--batch-size", "3", "--threads", "1"}));
    EXPECT_EQ(found.back(), found.front()) << processes << " processes";
  }
}

TEST_F(Processes, TellOfBadImagesWhoeverFoundThem) {
  std::vector<fs::path> images;
  for (const auto& entry : fs::directory_iterator(fs::path(folder_ / "data") / "train2017"))
    images.push_back(entry.path());
  ASSERT_GE(images.size(), 8u);
  // Of eight images in steps of two each process sees half.
  for (int i = 0; i < 5; ++i) write_file(images[static_cast<std::size_t>(i)], "no image");
  const Outcome outcome = run(2, training("run", 1, 4));
  EXPECT_EQ(outcome.exit_status, 0) << outcome.err;
  for (int i = 0; i < 5; ++i) {
    const std::string name = images[static_cast<std::size_t>(i)].filename().string();
    EXPECT_NE(outcome.err.find(name), std::string::npos) << name << " in " << outcome.err;
    EXPECT_NE(lines_of(folder_ / "run", "bad_image").find(name), std::string::npos) << name;
  }
}

TEST_F(Processes, StopTogetherWhereOneIsAskedTo) {
  RunningProgram program(launch(2, training("run", 1, 500)), "mpirun");
  wait_for_file(fs::path(folder_ / "run") / "log.jsonl", program);
  ::kill(process(1), SIGTERM);
  const Outcome outcome = program.wait();
  EXPECT_EQ(outcome.exit_status, 0) << outcome.err;
  EXPECT_NE(outcome.err.find("stopped after step"), std::string::npos) << outcome.err;
  EXPECT_FALSE(fs::is_empty(fs::path(folder_ / "run") / "checkpoints"));
}

TEST_F(Processes, EndWithALineWhereOneIsLost) {
  for (const int lost : {0, 1}) {
    const std::string name = "run" + std::to_string(lost);
    RunningProgram program(launch(2, training(name, 1, 500)), "mpirun");
    wait_for_file(fs::path(folder_ / name) / "log.jsonl", program);
    const auto begin = std::chrono::steady_clock::now();
    ::kill(process(lost), SIGKILL);
    const Outcome outcome = program.wait();
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(30));
    EXPECT_NE(outcome.exit_status, 0);
    const std::string said = "singleshot: rank " + std::to_string(lost) + " on ";
    const std::size_t at = outcome.err.find(said);
    ASSERT_NE(at, std::string::npos) << outcome.err;
    EXPECT_NE(outcome.err.find("is lost at step ", at), std::string::npos) << outcome.err;
    EXPECT_EQ(outcome.err.find("singleshot: ", at + said.size()), std::string::npos) << outcome.err;
  }
}

TEST_F(Processes, EndBeforeTheFirstStepWhereTheyDisagree) {
  const Outcome outcome = run(2, training("run", 1, 2), "--seed $RANK");
  EXPECT_NE(outcome.exit_status, 0);
  EXPECT_NE(outcome.err.find("singleshot: --seed: rank 1 has 1, rank 0 has 0; start all processes alike"),
            std::string::npos)
      << outcome.err;
  EXPECT_FALSE(fs::exists(folder_ / "run"));
}

TEST_F(Processes, OfACommandThatIsOneProcesssWorkAreRefused) {
  const Outcome outcome =
      run(2, {"detect", "--checkpoint", folder_ / "none", folder_ / "data", "--out", folder_ / "out"});
  EXPECT_NE(outcome.exit_status, 0);
  EXPECT_NE(outcome.err.find("detect: got 2 processes, expected one"), std::string::npos) << outcome.err;
}

// Devices that several processes join.
class JoinedDevices : public Processes {
 protected:
  void SetUp() override {
    Processes::SetUp();
    if (IsSkipped()) return;
    if (cpu_plugin().empty()) GTEST_SKIP() << "no PJRT CPU plugin under .deps/pjrt: run scripts/setup";
    if (!fs::exists(SSD_HOSTS_PLUGIN)) GTEST_SKIP() << "built without the PJRT header: run scripts/setup";
    ::setenv("XDG_CACHE_HOME", SSD_TEST_CACHE, 1);
  }
  std::vector<std::string> training_on(const std::string& plugin, const std::string& run, int devices) const {
    return with(training(run, 1, 2), {"--device", "pjrt:" + plugin, "--cpu-devices", std::to_string(devices),
                                      "--replicas", std::to_string(devices)});
  }
};

TEST_F(JoinedDevices, TrainToTheBitsOfOneProcessWithAllDevices) {
  const Outcome alone = run_program(training_on(cpu_plugin(), "one", 2));
  ASSERT_EQ(alone.exit_status, 0) << alone.err;
  const Outcome together = run(2, training_on(SSD_HOSTS_PLUGIN, "two", 1));
  ASSERT_EQ(together.exit_status, 0) << together.err;
  EXPECT_NE(together.err.find("2 processes, each with 1 x cpu"), std::string::npos) << together.err;
  EXPECT_EQ(losses("one"), losses("two"));
  for (const char* file : {"model.safetensors", "optimizer.safetensors"})
    EXPECT_EQ(read_file(checkpoint(folder_ / "one", "000002") / file),
              read_file(checkpoint(folder_ / "two", "000002") / file))
        << file;

  // Evaluations need no joining.
  std::vector<std::string> found;
  for (const int processes : {1, 2})
    found.push_back(evaluated(processes, {"--batch-size", "2", "--device", "pjrt:" + cpu_plugin()}));
  EXPECT_EQ(found[0], found[1]);
}

// The plugin counts processes the other way around.
TEST_F(JoinedDevices, OfATpuSliceAreFoundByItsEnvironment) {
  const fs::path plugin = folder_ / "libtpu.so";
  fs::copy_file(SSD_HOSTS_PLUGIN, plugin);
  ::setenv("TPU_WORKER_HOSTNAMES", "a,b", 1);
  std::vector<std::string> launched =
      launch(2, {"bench", "train", "--backbone", "resnet18", "--batch-size", "1", "--benchmark-warmup", "0",
                 "--benchmark-iterations", "1", "--device", "pjrt:" + plugin.string(), "--cpu-devices", "1"});
  launched.back() = "export TPU_WORKER_ID=$((1 - OMPI_COMM_WORLD_RANK)); " + launched.back();
  const Outcome outcome = run_program(launched, "mpirun");
  ::unsetenv("TPU_WORKER_HOSTNAMES");
  ASSERT_EQ(outcome.exit_status, 0) << outcome.err;
  EXPECT_EQ(nlohmann::json::parse(outcome.out).at("replicas"), 2);
}

TEST_F(JoinedDevices, OfAPluginThatJoinsNoneAreRefused) {
  const Outcome outcome = run(2, training_on(cpu_plugin(), "run", 1));
  EXPECT_NE(outcome.exit_status, 0);
  EXPECT_NE(outcome.err.find("singleshot: --device pjrt:" + cpu_plugin()), std::string::npos) << outcome.err;
  EXPECT_NE(outcome.err.find("got 2 processes"), std::string::npos) << outcome.err;
  EXPECT_FALSE(fs::exists(folder_ / "run"));
}

}  // namespace
}  // namespace ssd
