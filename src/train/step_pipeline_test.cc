#include "train/step_pipeline.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "data/cache/open_dataset.h"
#include "testing/fake_device.h"

namespace ssd {
namespace {

constexpr int batch = 4;

class Pipeline : public testing::Test {
 protected:
  Pipeline() {
    dataset_.samples.resize(10);  // 2.5 batches an epoch
    dataset_.max_boxes = 1;
    const Dataset images = open_dataset(std::string(SSD_SOURCE_DIR) + "/samples/blood-cells", "val2017");
    for (Sample& sample : dataset_.samples) sample = images.samples[0];
    dataset_.max_boxes = images.max_boxes;
    loader_.emplace(dataset_, LoaderOptions{.batch_size = batch,
                                            .buffers = 8,
                                            .augment = {.crop = false, .flip = false, .colour = false}});
  }

  StepPipeline make(StepPipeline::Options options) {
    const model::ModelOptions small{.backbone = model::Backbone::resnet18, .classes = 4};
    auto program = std::make_unique<model::TrainingProgram>(
        device_, small, model::TrainingOptions{.batch = batch, .max_boxes = loader_->max_boxes()},
        options.pace.accumulation);
    program->load({.weights = model::initial_weights(small, 1), .slots = {}, .averages = {}});
    return StepPipeline(std::move(program), *loader_, stop_, std::move(options));
  }

  FakeDevice device_;
  Dataset dataset_;
  std::optional<Loader> loader_;
  std::atomic<bool> stop_ = false;
};

TEST_F(Pipeline, GivesEveryStepInOrderWithItsRateAndPlace) {
  device_.state.loss = [](int step) { return static_cast<float>(step); };
  StepPipeline pipeline =
      make({.first = 5,
            .state = {.progress = 5, .adascale = {}},
            .pace = {.schedule = {.rate = 1, .warmup = 10, .milestones = {}}, .steps = 9}});
  for (int i = 0; i < 4; ++i) {
    const auto step = pipeline.next();
    ASSERT_TRUE(step.has_value());
    EXPECT_EQ(step->report.step, 6 + i);
    EXPECT_EQ(step->report.loss, i);
    EXPECT_FLOAT_EQ(static_cast<float>(step->report.learning_rate), 0.1f * static_cast<float>(5 + i));
    const int samples = batch * (i + 1);
    EXPECT_EQ(step->next, (StreamPosition{static_cast<std::uint32_t>(samples / 10),
                                          static_cast<std::uint64_t>(samples % 10)}));
  }
  EXPECT_FALSE(pipeline.next().has_value());
  EXPECT_FALSE(pipeline.rests_after().has_value());
  EXPECT_GT(device_.state.most_in_flight, 1);
  EXPECT_LE(device_.state.most_in_flight, device_.state.depth);
}

// Three micro-batches a step: the first, a middle one and the last have graphs of their own, and the step's
// loss is their mean.
TEST_F(Pipeline, AccumulatesMicroBatches) {
  std::vector<int> graphs;
  device_.state.started = [&](int graph, const std::vector<TensorView>&) { graphs.push_back(graph); };
  device_.state.loss = [](int step) { return static_cast<float>(step); };
  StepPipeline pipeline = make({.pace = {.steps = 2, .accumulation = 3}});
  const auto first = pipeline.next(), second = pipeline.next();
  ASSERT_TRUE(first && second);
  EXPECT_DOUBLE_EQ(first->report.loss, 1);
  EXPECT_DOUBLE_EQ(second->report.loss, 4);
  EXPECT_FALSE(pipeline.next().has_value());
  EXPECT_EQ(graphs, (std::vector<int>{0, 1, 2, 0, 1, 2}));
}

TEST_F(Pipeline, EndsAStepThatWasBegunWhenItIsToStop) {
  device_.state.depth = 1;
  StepPipeline pipeline = make({.pace = {.steps = 5, .accumulation = 2}});
  device_.state.started = [&](int, const std::vector<TensorView>&) { stop_ = true; };
  const auto step = pipeline.next();
  ASSERT_TRUE(step.has_value());
  EXPECT_EQ(step->report.step, 1);
  EXPECT_FALSE(pipeline.next().has_value());
  EXPECT_EQ(device_.state.steps, 2);
}

TEST_F(Pipeline, StartsNothingAfterAStepItRestsAfter) {
  std::vector<StepSpan> asked;
  StepPipeline pipeline = make({.pace = {.steps = 4}, .rests_after = [&](const StepSpan& step) {
                                  asked.push_back(step);
                                  return step.ends_epoch();
                                }});
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(pipeline.next().has_value());
  EXPECT_FALSE(pipeline.next().has_value());
  ASSERT_TRUE(pipeline.rests_after().has_value());
  EXPECT_EQ(pipeline.rests_after()->step, 3);  // of 10 samples, the third batch of 4 ends the first epoch
  EXPECT_TRUE(pipeline.rests_after()->ends(0));
  EXPECT_FALSE(pipeline.rests_after()->ends(1));
  EXPECT_EQ(device_.state.steps, 3);
  EXPECT_EQ(device_.state.in_flight, 0);
  pipeline.resume();
  EXPECT_TRUE(pipeline.next().has_value());
  EXPECT_EQ(asked.size(), 4u);
}

TEST_F(Pipeline, NamesTheSamplesOfALossThatIsNotFinite) {
  device_.state.loss = [](int step) { return step == 1 ? std::numeric_limits<float>::quiet_NaN() : 1.0f; };
  StepPipeline pipeline = make({.pace = {.steps = 4}});
  const auto good = pipeline.next(), bad = pipeline.next();
  ASSERT_TRUE(good && bad);
  EXPECT_TRUE(good->bad_samples.empty());
  EXPECT_EQ(bad->report.step, 2);
  EXPECT_EQ(bad->bad_samples.size(), std::size_t{batch});
  EXPECT_TRUE(std::isnan(bad->report.loss));
}

}  // namespace
}  // namespace ssd
