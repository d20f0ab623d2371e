#include "train/checkpointer.h"

#include <gtest/gtest.h>

#include <cmath>

#include "testing/fake_device.h"
#include "testing/temporary_folder.h"

namespace ssd {
namespace {

Tensor filled(float value) {
  Tensor tensor(DType::f32, {3});
  for (float& element : tensor.as<float>()) element = value;
  return tensor;
}

// Training's own weights, as with --batch-norm-images 0.
struct NoInference {
  FakeDevice device;
  model::ModelOptions model;
  Dataset dataset;
  InferenceWeights weights{device, model, dataset, {.images = 0}};
};

model::State weights_of(float value) {
  model::State state;
  state.weights.emplace("w", filled(value));
  return state;
}

float first(const Tensor& tensor) { return tensor.as<float>()[0]; }

StepSpan span(std::int64_t step, bool ends_epoch) { return {step, 0, ends_epoch ? 1u : 0u}; }

TEST(Checkpointer, IsDueAtEpochsEndsThatAreFarEnoughApart) {
  NoInference none;
  const Checkpointer checkpointer({.seconds = 1e9}, 50, none.weights);
  EXPECT_FALSE(checkpointer.due(span(149, true)));
  EXPECT_TRUE(checkpointer.due(span(150, true)));
  EXPECT_FALSE(checkpointer.due(span(150, false)));
}

TEST(Checkpointer, IsDueAfterItsTime) {
  NoInference none;
  const Checkpointer checkpointer({.seconds = 60}, 0, none.weights);
  const auto now = Checkpointer::Clock::now();
  EXPECT_FALSE(checkpointer.due(span(1, false), now));
  EXPECT_TRUE(checkpointer.due(span(1, false), now + std::chrono::seconds(60)));
}

TEST(Checkpointer, AnIntervalReplacesBothRules) {
  NoInference none;
  const Checkpointer checkpointer({.interval = 7, .seconds = 0}, 0, none.weights);
  EXPECT_TRUE(checkpointer.due(span(14, false)));
  EXPECT_FALSE(checkpointer.due(span(200, true)));
}

TEST(Checkpointer, WritesKeepsAndTells) {
  const TemporaryFolder folder;
  NoInference none;
  int told = 0;
  Checkpointer checkpointer({.run = folder.path(), .keep = 2}, 0, none.weights,
                            {.written = [&](const std::filesystem::path& path) {
                              ++told;
                              EXPECT_TRUE(std::filesystem::exists(path / "state.json"));
                            }});
  RunState run;
  for (run.step = 1; run.step <= 3; ++run.step) EXPECT_EQ(checkpointer.write(run, weights_of(1), {}), "");
  EXPECT_EQ(told, 3);
  EXPECT_EQ(checkpointer.last_step(), 3);
  const auto kept = list_checkpoints(folder.path());
  ASSERT_EQ(kept.size(), 2u);
  EXPECT_EQ(kept[0].step, 2);
  EXPECT_EQ(checkpointer.last_good(), kept[1].path.string());
}

TEST(Checkpointer, WeightsThatAreNotFiniteAreNotWritten) {
  const TemporaryFolder folder;
  NoInference none;
  Checkpointer checkpointer({.run = folder.path()}, 0, none.weights);
  EXPECT_EQ(checkpointer.write({.step = 1}, weights_of(NAN), {.last = true}), "weights");
  EXPECT_EQ(checkpointer.last_good(), "none");
}

TEST(Checkpointer, RewritesTheStateAlone) {
  const TemporaryFolder folder;
  NoInference none;
  Checkpointer checkpointer({.run = folder.path()}, 0, none.weights);
  RunState run;
  run.categories = {{1, "cell"}};
  run.step = 4;
  run.epoch = 3;
  run.images_per_step = 6;
  run.samples = 8;
  run.owed_evaluation = 2;
  run.model.classes = 2;
  checkpointer.write(run, weights_of(1), {});
  run.owed_evaluation.reset();
  checkpointer.rewrite_state(run);
  const auto latest = latest_checkpoint(folder.path());
  EXPECT_EQ(parse_run_state(read_checkpoint_state(latest->path), "").owed_evaluation, std::nullopt);
  EXPECT_EQ(first(read_checkpoint(latest->path).model.at("w")), 1);
}

TEST(Checkpointer, WithoutAFolderNothingIsWritten) {
  NoInference none;
  Checkpointer checkpointer({}, 0, none.weights);
  EXPECT_EQ(checkpointer.write({.step = 5}, weights_of(1), {.last = true}), "");
  EXPECT_EQ(checkpointer.last_step(), 5);
  EXPECT_EQ(checkpointer.last_good(), "none");
}

// What a last checkpoint has: re-estimated statistics among the weights, the running averages beside the
// slots. In a hurry the averages are written first, and then replaced.
TEST(Checkpointer, TheLastOneIsForInference) {
  const TemporaryFolder folder;
  FakeDevice device;  // whose statistics stay zero
  const Dataset dataset =
      read_dataset(coco_paths(std::string(SSD_SOURCE_DIR) + "/samples/blood-cells", "val2017"));
  const model::ModelOptions model{.backbone = model::Backbone::resnet18, .classes = 4};
  InferenceWeights inference(device, model, dataset, {.images = 2, .batch = 2});
  int told = 0;
  Checkpointer checkpointer({.run = folder.path()}, 0, inference,
                            {.written = [&](const std::filesystem::path&) { ++told; }});
  const auto trained = [&] { return model::State{model::initial_weights(model, 1), {}, {}}; };
  const std::string name = "feature_extractor.feature_extractor.1.running_var";
  RunState run{.step = 1};
  EXPECT_EQ(checkpointer.write(run, trained(), {}), "");
  EXPECT_FALSE(checkpointer.last_is_for_inference());
  EXPECT_EQ(first(read_checkpoint(latest_checkpoint(folder.path())->path).model.at(name)), 1);
  EXPECT_EQ(checkpointer.write(run, trained(), {.last = true, .hurry = true}), "");
  EXPECT_TRUE(checkpointer.last_is_for_inference());
  const Checkpoint last = read_checkpoint(latest_checkpoint(folder.path())->path);
  EXPECT_EQ(first(last.model.at(name)), 0);
  EXPECT_EQ(first(last.optimizer.at(name)), 1);
  EXPECT_EQ(told, 2);
  run.step = 2;
  checkpointer.write(run, trained(), {.last = true, .hurry = true});
  EXPECT_EQ(told, 4);
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

// A last checkpoint has the average of the weights; training's own lie beside the optimizer's slots.
TEST(Checkpointer, TheAverageOfTheWeightsIsWhatTheLastCheckpointIsFor) {
  const TemporaryFolder folder;
  NoInference none;
  Checkpointer checkpointer({.run = folder.path()}, 0, none.weights);
  model::State state = weights_of(1);
  state.averages["ema"].emplace("w", filled(2));
  const RunState run{.step = 1};
  EXPECT_EQ(checkpointer.write(run, std::move(state), {.last = true}), "");
  Checkpoint written = read_checkpoint(latest_checkpoint(folder.path())->path);
  EXPECT_EQ(first(written.model.at("w")), 2);
  const model::State back = resumable_state(std::move(written));
  EXPECT_EQ(first(back.weights.at("w")), 1);
  EXPECT_EQ(first(back.averages.at("ema").at("w")), 2);
}

}  // namespace
}  // namespace ssd
