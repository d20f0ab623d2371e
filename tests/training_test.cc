// `singleshot train`: runs that are cut off and resumed, workers, broken images.
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "program.h"

namespace ssd {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> training(const std::string& run, int iterations,
                                  const std::vector<std::string>& more = {}) {
  return small_training(sample_data(), run,
                        with({"--seed", "7", "--iterations", std::to_string(iterations)}, more));
}

void expect_equal_checkpoints(const fs::path& a, const fs::path& b) {
  for (const char* name : {"model.safetensors", "optimizer.safetensors", "state.json"}) {
    EXPECT_TRUE(read_file(a / name) == read_file(b / name)) << a << " and " << b << " differ in " << name;
  }
}

// Removes what a run wrote after it was to be killed: it may have been quicker than the signal.
void remove_checkpoints_after(const std::string& last, const std::string& run) {
  for (const auto& entry : fs::directory_iterator(fs::path(run) / "checkpoints"))
    if (entry.path().filename() > checkpoint(run, last).filename()) fs::remove_all(entry.path());
}

// Losses, learning rates.
std::string step_lines(const std::string& run) { return lines_of(run, "step"); }

// The epochs that were evaluated, in order.
std::vector<int> evaluated_epochs(const std::string& run) {
  std::istringstream lines(lines_of(run, "evaluation"));
  std::vector<int> epochs;
  for (std::string line; std::getline(lines, line);)
    epochs.push_back(nlohmann::json::parse(line).at("epoch").get<int>());
  return epochs;
}

// Writes the sample data's annotations of a split with its first images only.
void write_first_images(const std::string& split, std::size_t count, const std::string& file) {
  auto json = nlohmann::json::parse(
      read_file(fs::path(sample_data()) / "annotations" / ("instances_" + split + ".json")));
  auto& images = json.at("images");
  images.erase(images.begin() + static_cast<std::ptrdiff_t>(count), images.end());
  std::set<int> kept;
  for (const auto& image : images) kept.insert(image.at("id").get<int>());
  nlohmann::json annotations = nlohmann::json::array();
  for (const auto& annotation : json.at("annotations"))
    if (kept.contains(annotation.at("image_id").get<int>())) annotations.push_back(annotation);
  json.at("annotations") = annotations;
  write_file(file, json.dump());
}

// A training on the first `train` images, evaluated on the first `val`.
std::vector<std::string> training_on_first(const TemporaryFolder& folder, std::size_t train, std::size_t val,
                                           const std::vector<std::string>& more) {
  write_first_images("train2017", train, folder / "train.json");
  write_first_images("val2017", val, folder / "val.json");
  return small_training(
      sample_data(), folder / "run",
      with({"--train-annotations", folder / "train.json", "--val-annotations", folder / "val.json"}, more));
}

TEST(Train, AResumedRunEqualsAnUninterruptedOne) {
  const TemporaryFolder folder;
  ASSERT_EQ(run_program(training(folder / "whole", 4)).exit_status, 0);
  {
    RunningProgram killed(training(folder / "cut", 1000, {"--checkpoint-interval", "1"}));
    wait_for_file(checkpoint(folder / "cut", "000002"), killed);
    killed.send(SIGKILL);
    EXPECT_EQ(killed.wait().signal, SIGKILL);
  }
  remove_checkpoints_after("000002", folder / "cut");
  const Outcome resumed = run_program(training(folder / "cut", 4, {"--resume"}));
  ASSERT_EQ(resumed.exit_status, 0) << resumed.err;
  expect_equal_checkpoints(checkpoint(folder / "whole", "000004"), checkpoint(folder / "cut", "000004"));
  EXPECT_EQ(count_lines(step_lines(folder / "whole")), 4);
  EXPECT_EQ(step_lines(folder / "whole"), step_lines(folder / "cut"));
}

// With what a step keeps beside its weights: their average, and AdaScale's estimates.
TEST(Train, AResumedRunGoesOnWithItsAverageAndItsEstimates) {
  const TemporaryFolder folder;
  const std::vector<std::string> each = {"--ema",
                                         "0.9",
                                         "--lr-rule",
                                         "adascale",
                                         "--accumulation",
                                         "2",
                                         "--clip-norm",
                                         "5",
                                         "--checkpoint-interval",
                                         "1"};
  std::vector<std::string> again = each;
  again.emplace_back("--resume");
  ASSERT_EQ(run_program(training(folder / "whole", 3, each)).exit_status, 0);
  ASSERT_EQ(run_program(training(folder / "parts", 1, each)).exit_status, 0);
  const Outcome resumed = run_program(training(folder / "parts", 3, again));
  ASSERT_EQ(resumed.exit_status, 0) << resumed.err;
  for (const char* step : {"000002", "000003"})
    expect_equal_checkpoints(checkpoint(folder / "whole", step), checkpoint(folder / "parts", step));
  EXPECT_EQ(step_lines(folder / "whole"), step_lines(folder / "parts"));
  const auto state = nlohmann::json::parse(read_file(checkpoint(folder / "parts", "000003") / "state.json"));
  EXPECT_GT(state.at("pace").at("variance").get<double>(), 0);
}

// The last checkpoint has re-estimated statistics, but a longer run goes on with its running averages.
TEST(Train, AFinishedRunGoesOnAsIfItHadNotEnded) {
  const TemporaryFolder folder;
  const std::vector<std::string> each = {"--checkpoint-interval", "1", "--batch-norm-images", "4"};
  std::vector<std::string> again = each;
  again.emplace_back("--resume");
  ASSERT_EQ(run_program(training(folder / "whole", 3, each)).exit_status, 0);
  ASSERT_EQ(run_program(training(folder / "parts", 1, each)).exit_status, 0);
  ASSERT_EQ(run_program(training(folder / "parts", 3, again)).exit_status, 0);
  for (const char* step : {"000002", "000003"})
    expect_equal_checkpoints(checkpoint(folder / "whole", step), checkpoint(folder / "parts", step));

  // TensorBoard is told to forget what comes from there on: an Event of step 2 with SessionLog::START.
  int told = 0;
  for (const auto& entry : fs::directory_iterator(folder / "parts"))
    if (entry.path().filename().string().starts_with("events."))
      told += read_file(entry.path()).find("\x10\x02\x3a\x02\x08\x01") != std::string::npos ? 1 : 0;
  EXPECT_EQ(told, 1);

  again.insert(again.end(), {"--json-summary", folder / "summary.json"});
  const Outcome nothing_left = run_program(training(folder / "parts", 3, again));
  EXPECT_EQ(nothing_left.exit_status, 0) << nothing_left.err;
  EXPECT_NE(nothing_left.err.find("nothing left to do"), std::string::npos) << nothing_left.err;
  const nlohmann::json summary = nlohmann::json::parse(read_file(folder / "summary.json"));
  EXPECT_TRUE(summary.at("loss").is_null());
  EXPECT_EQ(summary.at("checkpoint"), checkpoint(folder / "parts", "000003").string());
}

TEST(Train, ResumeRefusesWhatWouldChangeTheNextBatchAndSaysWhatElseChanged) {
  const TemporaryFolder folder;
  const auto quick = [&](int iterations, std::vector<std::string> more) {
    more.insert(more.end(), {"--batch-norm-images", "0"});
    return training(folder / "run", iterations, more);
  };
  ASSERT_EQ(run_program(quick(1, {})).exit_status, 0);
  for (const std::vector<std::string>& other :
       {std::vector<std::string>{"--augment", "flip"}, {"--order", "sequential"}, {"--accumulation", "2"}}) {
    std::vector<std::string> more = {"--resume"};
    more.insert(more.end(), other.begin(), other.end());
    const Outcome outcome = run_program(quick(2, more));
    EXPECT_EQ(outcome.exit_status, 1) << other[0];
    EXPECT_NE(outcome.err.find(other[0]), std::string::npos) << outcome.err;
  }
  // Of a step of two images, for the preset reads the option as the reference does: for every 32.
  const Outcome slower = run_program(quick(2, {"--resume", "--learning-rate", "1e-5"}));
  EXPECT_EQ(slower.exit_status, 0) << slower.err;
  EXPECT_NE(slower.err.find("--learning-rate: 6.25e-07"), std::string::npos) << slower.err;
  std::vector<std::string> halves = quick(3, {"--resume", "--accumulation", "2", "--learning-rate", "1e-5"});
  *(std::find(halves.begin(), halves.end(), "--batch-size") + 1) = "1";
  const Outcome split = run_program(halves);
  EXPECT_EQ(split.exit_status, 0) << split.err;
  for (const char* line :
       {"--batch-size: 1 from here on, 2 before", "--accumulation: 2 from here on, 1 before"})
    EXPECT_NE(split.err.find(line), std::string::npos) << split.err;
}

// Another data set may have as many images.
TEST(Train, ResumeRefusesOtherDataButNotAMovedFolder) {
  const TemporaryFolder folder;
  make_small_data(folder / "data", 2);
  const auto train_on = [&](const std::string& data, const char* iterations) {
    return run_program({"train", "--pretrained", "none", "--data", data, "--backbone", "resnet18",
                        "--batch-size", "2", "--save", folder / "run", "--iterations", iterations,
                        "--batch-norm-images", "0", "--resume"});
  };
  ASSERT_EQ(train_on(folder / "data", "1").exit_status, 0);
  fs::rename(folder / "data", folder / "moved");
  const Outcome moved = train_on(folder / "moved", "2");
  EXPECT_EQ(moved.exit_status, 0) << moved.err;
  const std::string annotations = folder / "moved/annotations/instances_train2017.json";
  nlohmann::json json = nlohmann::json::parse(read_file(annotations));
  json["annotations"][0]["bbox"][0] = json["annotations"][0]["bbox"][0].get<double>() + 1;
  write_file(annotations, json.dump());
  const Outcome other = train_on(folder / "moved", "3");
  EXPECT_EQ(other.exit_status, 1);
  EXPECT_NE(other.err.find("other training data"), std::string::npos) << other.err;
}

// Five images, six a step: a step ends one epoch or two, in any of its batches.
TEST(Train, EvaluatesEveryChosenEpochThatAStepEnds) {
  const TemporaryFolder folder;
  const Outcome outcome = run_program(training_on_first(
      folder, 5, 2, {"--accumulation", "3", "--iterations", "4", "--evaluation", "0", "1", "3"}));
  ASSERT_EQ(outcome.exit_status, 0) << outcome.err;
  EXPECT_EQ(evaluated_epochs(folder / "run"), (std::vector<int>{0, 1, 3}));
  EXPECT_EQ(count_lines(step_lines(folder / "run")), 4);
}

TEST(Train, AnEvaluationThatWasStoppedIsMadeUpFor) {
  const TemporaryFolder folder;
  std::vector<std::string> arguments = training_on_first(folder, 2, 70, {"--evaluation", "0"});
  {
    RunningProgram program(arguments);
    wait_for_file(checkpoint(folder / "run", "000001"), program);
    program.send(SIGTERM);
    const Outcome stopped = program.wait();
    EXPECT_EQ(stopped.exit_status, 0) << stopped.err;
  }
  EXPECT_TRUE(evaluated_epochs(folder / "run").empty());
  arguments.emplace_back("--resume");
  for (int times = 0; times < 2; ++times) {  // but only once
    const Outcome resumed = run_program(arguments);
    EXPECT_EQ(resumed.exit_status, 0) << resumed.err;
    EXPECT_EQ(evaluated_epochs(folder / "run"), std::vector<int>{0});
  }
}

TEST(Train, AStopWithinAnEvaluationLeavesStatisticsForUse) {
  const TemporaryFolder folder;
  RunningProgram program(training_on_first(folder, 2, 70, {"--iterations", "50", "--evaluation", "0"}));
  const fs::path first = checkpoint(folder / "run", "000001");
  wait_for_file(first, program);
  // Between the checkpoint and the end of the evaluation; its running averages are still the model's.
  EXPECT_EQ(read_file(first / "optimizer.safetensors").find("running_mean"), std::string::npos);
  program.send(SIGTERM);
  const Outcome stopped = program.wait();
  EXPECT_EQ(stopped.exit_status, 0) << stopped.err;
  EXPECT_NE(stopped.err.find("stopped after step 1; --resume"), std::string::npos) << stopped.err;
  EXPECT_NE(read_file(first / "optimizer.safetensors").find("running_mean"), std::string::npos);
}

TEST(Train, ALossThatIsNotFiniteStopsWithStepImagesAndTheLastGoodCheckpoint) {
  const TemporaryFolder folder;
  const Outcome outcome = run_program(training(
      folder / "run", 50, {"--learning-rate", "1.6e19", "--warmup", "2", "--checkpoint-interval", "1"}));
  EXPECT_EQ(outcome.exit_status, 1);
  for (const char* part : {"loss of step", "BloodImage_", "last good checkpoint: ", "checkpoints/step-00000"})
    EXPECT_NE(outcome.err.find(part), std::string::npos) << outcome.err;
  EXPECT_EQ(count_lines(lines_of(folder / "run", "not_finite")), 1);
}

// Weights so large that the next pass through the network overflows: they are kept as they are.
TEST(Train, StatisticsThatAreNotFiniteAreNotKept) {
  const TemporaryFolder folder;
  const Outcome outcome = run_program(
      training(folder / "run", 1, {"--learning-rate", "1e20", "--warmup", "0", "--batch-norm-images", "2"}));
  EXPECT_EQ(outcome.exit_status, 1);
  EXPECT_NE(outcome.err.find("re-estimated batch-norm statistics are not finite after step 1"),
            std::string::npos)
      << outcome.err;
  EXPECT_EQ(count_lines(lines_of(folder / "run", "not_finite")), 1);
  EXPECT_EQ(read_file(checkpoint(folder / "run", "000001") / "optimizer.safetensors").find("running_mean"),
            std::string::npos);
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

// A quick training into `run`, run by a shell with its console sent elsewhere.
Outcome train_in_shell(const std::string& run, int iterations, const std::string& redirection) {
  std::string line = SSD_PROGRAM;
  for (const std::string& word :
       training(run, iterations, {"--batch-norm-images", "0", "--log-interval", "1"}))
    line += " '" + word + "'";
  return run_program({"-c", line + " " + redirection}, "sh");
}

TEST(Train, GoesOnWithoutItsConsole) {
  const TemporaryFolder folder;
  train_in_shell(folder / "pipe", 3, "2>&1 | head -1");
  EXPECT_TRUE(fs::exists(checkpoint(folder / "pipe", "000003")));
  const Outcome full = train_in_shell(folder / "full", 1, "2>/dev/full");
  EXPECT_EQ(full.exit_status, 0);
  EXPECT_TRUE(fs::exists(checkpoint(folder / "full", "000001")));
}

// A closed terminal hangs up more than once; nohup ignores it.
TEST(Train, AHangUpLeavesACheckpointUnlessItIsIgnored) {
  const TemporaryFolder folder;
  for (const bool ignored : {false, true}) {
    const std::string run = folder / (ignored ? "ignored" : "heard");
    const auto before = std::signal(SIGHUP, ignored ? SIG_IGN : SIG_DFL);
    RunningProgram program(
        training(run, ignored ? 8 : 100000, {"--batch-norm-images", "0", "--checkpoint-interval", "1"}));
    std::signal(SIGHUP, before);
    wait_for_file(checkpoint(run, "000001"), program);
    program.send(SIGHUP);
    program.send(SIGHUP);
    const Outcome outcome = program.wait();
    EXPECT_EQ(outcome.exit_status, 0) << outcome.err;
    EXPECT_EQ(outcome.err.find("stopped after step") == std::string::npos, ignored) << outcome.err;
    EXPECT_EQ(fs::exists(checkpoint(run, "000008")), ignored);
  }
}

TEST(Train, TwoProcessesDoNotWriteOneRun) {
  const TemporaryFolder folder;
  RunningProgram first(training(folder / "run", 100000, {"--batch-norm-images", "0"}));
  wait_for_file(fs::path(folder / "run") / "log.jsonl", first);
  for (const std::vector<std::string>& more : {std::vector<std::string>{}, {"--resume"}}) {
    const Outcome second = run_program(training(folder / "run", 1, more));
    EXPECT_EQ(second.exit_status, 1);
    EXPECT_NE(second.err.find("another process"), std::string::npos) << second.err;
  }
  first.send(SIGTERM);
  EXPECT_EQ(first.wait().exit_status, 0);
}

TEST(Train, ABrokenImageIsNamedAndReplaced) {
  const TemporaryFolder folder;
  fs::copy(sample_data(), folder / "data", fs::copy_options::recursive);
  int broken = 0;
  for (const auto& entry : fs::directory_iterator(folder / "data/train2017")) {
    if (++broken % 2 == 0) write_file(entry.path(), "not an image");
  }
  const std::vector<std::string> common = {"train",
                                           "--pretrained",
                                           "none",
                                           "--data",
                                           folder / "data",
                                           "--backbone",
                                           "resnet18",
                                           "--batch-size",
                                           "2",
                                           "--iterations",
                                           "4",
                                           "--batch-norm-images",
                                           "2"};
  const Outcome outcome = run_program(with(common, {"--save", folder / "run"}));
  EXPECT_EQ(outcome.exit_status, 0) << outcome.err;
  EXPECT_NE((outcome.out + outcome.err).find("BloodImage_"), std::string::npos) << outcome.out << outcome.err;

  const Outcome strict = run_program(with(common, {"--save", folder / "strict", "--on-bad-image", "fail"}));
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
