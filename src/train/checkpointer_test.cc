#include "train/checkpointer.h"

#include <gtest/gtest.h>

#include <cstring>

#include "testing/temporary_folder.h"

namespace ssd {
namespace {

Tensor filled(float value) {
  Tensor tensor(DType::f32, {3});
  for (float& element : tensor.as<float>()) element = value;
  return tensor;
}

float first(const Tensor& tensor) { return tensor.as<float>()[0]; }

StepSpan span(std::int64_t step, bool ends_epoch) { return {step, 0, ends_epoch ? 1u : 0u}; }

TEST(Checkpointer, IsDueAtEpochsEndsThatAreFarEnoughApart) {
  const Checkpointer checkpointer({.seconds = 1e9}, 50);
  EXPECT_FALSE(checkpointer.due(span(149, true)));
  EXPECT_TRUE(checkpointer.due(span(150, true)));
  EXPECT_FALSE(checkpointer.due(span(150, false)));
}

TEST(Checkpointer, IsDueAfterItsTime) {
  const Checkpointer checkpointer({.seconds = 60}, 0);
  const auto now = Checkpointer::Clock::now();
  EXPECT_FALSE(checkpointer.due(span(1, false), now));
  EXPECT_TRUE(checkpointer.due(span(1, false), now + std::chrono::seconds(60)));
}

TEST(Checkpointer, AnIntervalReplacesBothRules) {
  const Checkpointer checkpointer({.interval = 7, .seconds = 0}, 0);
  EXPECT_TRUE(checkpointer.due(span(14, false)));
  EXPECT_FALSE(checkpointer.due(span(200, true)));
}

TEST(Checkpointer, WritesKeepsAndTells) {
  const TemporaryFolder folder;
  std::vector<std::int64_t> told;
  Checkpointer checkpointer({.run = folder.path(), .keep = 2}, 0,
                            [&](std::int64_t step, const std::filesystem::path& path) {
                              told.push_back(step);
                              EXPECT_TRUE(std::filesystem::exists(path / "state.json"));
                            });
  model::State state;
  state.weights.emplace("w", filled(1));
  RunState run;
  for (run.step = 1; run.step <= 3; ++run.step) checkpointer.write(run, state, run.step == 3);
  EXPECT_EQ(told, (std::vector<std::int64_t>{1, 2, 3}));
  EXPECT_EQ(checkpointer.last_step(), 3);
  EXPECT_TRUE(checkpointer.wrote(3));
  EXPECT_FALSE(checkpointer.wrote(4));
  EXPECT_TRUE(checkpointer.last_is_for_inference());
  const auto kept = list_checkpoints(folder.path());
  ASSERT_EQ(kept.size(), 2u);
  EXPECT_EQ(kept[0].step, 2);
  EXPECT_EQ(checkpointer.last_good(), kept[1].path.string());
}

TEST(Checkpointer, RewritesTheStateOfTheLastOneAlone) {
  const TemporaryFolder folder;
  Checkpointer checkpointer({.run = folder.path()}, 0);
  model::State state;
  state.weights.emplace("w", filled(1));
  RunState run{.step = 4, .owed_evaluation = 2};
  checkpointer.write(run, state, false);
  run.owed_evaluation.reset();
  checkpointer.rewrite_state(run);
  const auto latest = latest_checkpoint(folder.path());
  EXPECT_EQ(parse_run_state(read_checkpoint_state(latest->path), "").owed_evaluation, std::nullopt);
  EXPECT_EQ(first(read_checkpoint(latest->path).model.at("w")), 1);
}

TEST(Checkpointer, WithoutAFolderNothingIsWritten) {
  Checkpointer checkpointer({}, 0);
  checkpointer.write({.step = 5}, {}, false);
  EXPECT_EQ(checkpointer.last_step(), 5);
  EXPECT_EQ(checkpointer.last_good(), "none");
}

TEST(CheckpointFiles, SlotsAndAveragesComeBack) {
  model::State state;
  state.weights.emplace("a.weight", filled(1));
  state.slots["mean"].emplace("a.weight", filled(2));
  state.slots["square"].emplace("a.weight", filled(3));
  state.averages["ema"].emplace("a.weight", filled(4));
  const model::State back = resumable_state(to_checkpoint(state, "{}"));
  EXPECT_EQ(first(back.weights.at("a.weight")), 1);
  EXPECT_EQ(first(back.slots.at("mean").at("a.weight")), 2);
  EXPECT_EQ(first(back.slots.at("square").at("a.weight")), 3);
  EXPECT_EQ(first(back.averages.at("ema").at("a.weight")), 4);
}

// The files of version 0.1: the momentum under the tensors' own names, and in a last checkpoint the running
// averages beside it.
TEST(CheckpointFiles, OfVersion01AreRead) {
  Checkpoint checkpoint;
  checkpoint.model.emplace("a.weight", filled(1));
  checkpoint.model.emplace("a.running_mean", filled(2));
  checkpoint.optimizer.emplace("a.weight", filled(3));
  checkpoint.optimizer.emplace("a.running_mean", filled(4));
  const model::State state = resumable_state(std::move(checkpoint));
  EXPECT_EQ(first(state.weights.at("a.running_mean")), 4);
  EXPECT_EQ(first(state.slots.at("momentum").at("a.weight")), 3);
  EXPECT_EQ(state.slots.at("momentum").size(), 1u);
}

TEST(CheckpointFiles, MomentumIsWrittenAsVersion01DidIt) {
  model::State state;
  state.weights.emplace("a.running_mean", filled(1));
  state.slots["momentum"].emplace("a.weight", filled(2));
  state.averages["running"].emplace("a.running_mean", filled(3));
  const Checkpoint checkpoint = to_checkpoint(state, "{}");
  EXPECT_EQ(first(checkpoint.optimizer.at("a.weight")), 2);
  EXPECT_EQ(first(checkpoint.optimizer.at("a.running_mean")), 3);
}

}  // namespace
}  // namespace ssd
