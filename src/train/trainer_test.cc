// The loop as a whole, on a device that computes nothing.
#include "train/trainer.h"

#include <gtest/gtest.h>

#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "data/cache/open_dataset.h"
#include "testing/fake_device.h"
#include "testing/message_of.h"
#include "testing/temporary_folder.h"
#include "train/start.h"

namespace ssd {
namespace {

const CocoPaths cells = coco_paths(std::string(SSD_SOURCE_DIR) + "/samples/blood-cells", "val2017");

class Trainer : public testing::Test, public TrainObserver {
 protected:
  Trainer() : dataset_(read_dataset(cells)), validation_{read_coco(cells.annotations), read_dataset(cells)} {
    dataset_.samples.resize(10);  // of which the fifth step of two ends an epoch
    validation_.dataset.samples.resize(4);
    options_.step.batch = 2;
    options_.pace.steps = 8;
    options_.evaluation = {.epochs = std::vector{0}, .batch_norm_images = 0};
    options_.checkpoints = {.run = folder_.path() / "run", .interval = 3, .keep = 0};
  }

  TrainingResult go(TrainingStart start) {
    SingleProcess alone;
    return train({device_, dataset_, &validation_, alone, *this, stop_}, std::move(start), options_);
  }
  TrainingResult begin() {
    return go(fresh_start({.model = {.backbone = model::Backbone::resnet18}}, dataset_));
  }
  TrainingResult resume() {
    std::vector<std::string> changed;
    auto start =
        resumed_start(options_.checkpoints.run, dataset_,
                      {.model = {.backbone = model::Backbone::resnet18}, .images_per_step = 2}, changed);
    return go(std::move(start.value()));
  }

  void on_checkpoint(std::int64_t step, const std::filesystem::path&) override {
    checkpoints_.push_back(step);
  }
  void on_evaluation(std::int64_t step, std::uint32_t, const EvaluationReport&, bool) override {
    evaluations_.push_back(step);
  }
  void on_evaluating(std::uint64_t, std::uint64_t) override {
    if (stop_in_evaluation_) stop_ = true;
  }
  void on_step(const StepReport& step) override { steps_.push_back(step.step); }

  RunState saved_state(std::int64_t step) const {
    for (const CheckpointEntry& entry : list_checkpoints(options_.checkpoints.run))
      if (entry.step == step) return parse_run_state(read_checkpoint_state(entry.path), "");
    throw Error("no checkpoint of step {}", step);
  }

  TemporaryFolder folder_;
  FakeDevice device_;
  Dataset dataset_;
  ValidationSet validation_;
  TrainerOptions options_;
  std::atomic<bool> stop_ = false;
  bool stop_in_evaluation_ = false;
  std::vector<std::int64_t> steps_, checkpoints_, evaluations_;
};

TEST_F(Trainer, WritesCheckpointsAndEvaluatesWhenItShould) {
  const TrainingResult result = begin();
  EXPECT_EQ(result.step, 8);
  EXPECT_FALSE(result.stopped);
  EXPECT_EQ(steps_, (std::vector<std::int64_t>{1, 2, 3, 4, 5, 6, 7, 8}));
  EXPECT_EQ(checkpoints_, (std::vector<std::int64_t>{3, 5, 6, 8}));
  EXPECT_EQ(evaluations_, std::vector<std::int64_t>{5});
  EXPECT_EQ(saved_state(5).owed_evaluation, std::nullopt);
}

TEST_F(Trainer, AnEvaluationThatWasCutOffIsOwedAndMadeByTheNextRun) {
  stop_in_evaluation_ = true;
  EXPECT_TRUE(begin().stopped);
  EXPECT_TRUE(evaluations_.empty());
  EXPECT_EQ(saved_state(5).owed_evaluation, 0u);
  stop_ = stop_in_evaluation_ = false;
  EXPECT_FALSE(resume().stopped);
  EXPECT_EQ(evaluations_, std::vector<std::int64_t>{5});
  EXPECT_EQ(saved_state(5).owed_evaluation, std::nullopt);
}

// Checkpoints of version 0.1 do not say whether an evaluation is owed; the log does.
TEST_F(Trainer, ACheckpointThatDoesNotTellIsJudgedByTheLog) {
  stop_in_evaluation_ = true;
  begin();
  const std::filesystem::path state = latest_checkpoint(options_.checkpoints.run)->path / "state.json";
  auto json = nlohmann::ordered_json::parse(std::ifstream(state));
  json.erase("owed_evaluation");
  std::ofstream(state) << json.dump();
  stop_ = stop_in_evaluation_ = false;
  resume();
  EXPECT_EQ(evaluations_, std::vector<std::int64_t>{5});
}

// Nothing is learnt: the first evaluation stays the best.
TEST_F(Trainer, KeepsTheBestAndEndsWhenPatienceIsLost) {
  options_.evaluation = {.epochs = std::vector{0, 1, 2, 3}, .patience = 2, .batch_norm_images = 0};
  options_.checkpoints.keep = 1;
  options_.pace.steps = 30;
  const TrainingResult result = begin();
  EXPECT_EQ(evaluations_, (std::vector<std::int64_t>{5, 10, 15}));
  EXPECT_TRUE(result.lost_patience);
  EXPECT_FALSE(result.stopped);
  EXPECT_EQ(result.step, 15);
  ASSERT_TRUE(result.best.has_value());
  EXPECT_EQ(result.best->step, 5);
  const RunState best =
      parse_run_state(read_checkpoint_state(options_.checkpoints.run / best_folder), "best");
  EXPECT_EQ(best.step, 5);
  const RunState last = saved_state(15);
  ASSERT_TRUE(last.best.has_value());
  EXPECT_EQ(last.best->evaluations_since, 2);
  EXPECT_TRUE(lost_patience(last, options_.evaluation));
}

TEST_F(Trainer, ByTheClockEvaluatesAfterTheFirstEpochAndAtTheEnd) {
  options_.evaluation = {.epochs = std::nullopt, .batch_norm_images = 0};
  options_.pace.steps = 7;
  begin();
  EXPECT_EQ(evaluations_, (std::vector<std::int64_t>{5, 7}));
  EXPECT_EQ(saved_state(7).owed_evaluation, std::nullopt);
}

TEST_F(Trainer, TheLastCheckpointSavesTheProgramOnce) {
  options_.pace.steps = 1;
  begin();
  EXPECT_EQ(checkpoints_, std::vector<std::int64_t>{1});
  EXPECT_EQ(device_.state.saves, 1);
}

TEST_F(Trainer, ALossThatIsNotFiniteEndsTheRunAndNamesTheLastGoodCheckpoint) {
  device_.state.loss = [](int step) { return step == 4 ? std::numeric_limits<float>::infinity() : 1.0f; };
  const std::string message = message_of([&] { begin(); });
  EXPECT_NE(message.find("step 5"), std::string::npos) << message;
  EXPECT_NE(message.find("step-000003"), std::string::npos) << message;
}

}  // namespace
}  // namespace ssd
