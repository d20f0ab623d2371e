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
    const model::TrainingOptions step{.batch = batch,
                                      .max_boxes = loader_->max_boxes(),
                                      .gradient_squares = options.pace.rule == RateRule::adascale};
    auto program = std::make_unique<model::TrainingProgram>(
        device_, small, step,
        options.pace.trace.empty() ? options.pace.accumulation : model::TrainingProgram::varying);
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

// The loader has just begun: alone, the pipeline would finish a step while it waits for the images of others.
TEST_F(Pipeline, OfSeveralProcessesStartsTheSameStepsHoweverLongImagesTake) {
  StepPipeline pipeline = make({.pace = {.steps = 6}, .in_step = true});
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(pipeline.next().has_value());
    EXPECT_EQ(device_.state.steps, device_.state.depth + i);
  }
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

// Steps of one, two and three micro-batches: each has its graph among none, first, middle and last.
TEST_F(Pipeline, TakesStepsOfVaryingNumbersOfMicroBatches) {
  std::vector<int> graphs;
  std::vector<float> shares;
  device_.state.started = [&](int graph, const std::vector<TensorView>& inputs) {
    graphs.push_back(graph);
    shares.push_back(inputs[5].as<float>()[0]);  // loss_scale
  };
  const BatchTrace trace({{0, batch}, {1, 2 * batch}, {2, 3 * batch}});
  StepPipeline::Options options;
  options.pace.steps = 3;
  options.pace.micro_images = batch;
  options.pace.trace = trace;
  StepPipeline pipeline = make(std::move(options));
  for (int step = 1; step <= 3; ++step) ASSERT_TRUE(pipeline.next().has_value());
  EXPECT_FALSE(pipeline.next().has_value());
  EXPECT_EQ(graphs, (std::vector<int>{0, 1, 3, 1, 2, 3}));
  for (const std::size_t i : {1u, 2u}) EXPECT_EQ(shares[i], 0.5f);
  for (const std::size_t i : {3u, 4u, 5u}) EXPECT_EQ(shares[i], 1.0f / 3);
}

// By hand, for two gradients a step: their squares are 6 and 10, their mean's 5, so v = 2 * (8 - 5) = 6 and
// m = 5 - 6 / 2 = 2; the averages, which begin with 0 and 1, take a share of 0.002 of them in. The device
// multiplies each gradient by a half.
TEST_F(Pipeline, TellsAdaScaleOfEveryStepsGradients) {
  device_.state.number = [](const std::string& output, int step) {
    if (output == "micro_square") return step % 2 == 0 ? 6 / 4.0f : 10 / 4.0f;
    return output == "step_square" ? 5.0f : 0.0f;
  };
  StepPipeline::Options options;
  options.pace.schedule.rate = 0.5;
  options.pace.steps = 4;
  options.pace.rule = RateRule::adascale;
  options.pace.base_images = options.pace.micro_images = batch;
  options.pace.accumulation = 2;
  StepPipeline pipeline = make(std::move(options));
  double v = 0, m = 1, progress = 0;
  for (int step = 1; step <= 4; ++step) {
    const double gain = (v + m) / (v / 2 + m);
    progress += gain;
    v = 0.998 * v + 0.002 * 6;
    m = 0.998 * m + 0.002 * 2;
    const auto got = pipeline.next();
    ASSERT_TRUE(got.has_value());
    EXPECT_NEAR(got->report.learning_rate, 0.5 * gain, 1e-7) << step;
    EXPECT_NEAR(got->pace.progress, progress, 1e-9) << step;
    EXPECT_NEAR(got->pace.adascale.variance, v, 1e-9) << step;
    EXPECT_NEAR(got->pace.adascale.mean_square, m, 1e-9) << step;
  }
  EXPECT_FALSE(pipeline.next().has_value());
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

// The same two gradients, one of this process and one of another: their squares' mean is 8.
TEST_F(Pipeline, TellsAdaScaleOfAllProcesses) {
  device_.state.number = [](const std::string& output, int) {
    return output == "micro_square" ? 8.0f : output == "step_square" ? 5.0f : 0.0f;
  };
  StepPipeline::Options options;
  options.pace.steps = 1;
  options.pace.rule = RateRule::adascale;
  options.pace.base_images = batch;
  options.pace.micro_images = 2 * batch;
  StepPipeline pipeline = make(std::move(options));
  const auto got = pipeline.next();
  ASSERT_TRUE(got.has_value());
  EXPECT_NEAR(got->pace.adascale.variance, 0.002 * 6, 1e-9);
  EXPECT_NEAR(got->pace.adascale.mean_square, 0.998 + 0.002 * 2, 1e-9);
}

}  // namespace
}  // namespace ssd
