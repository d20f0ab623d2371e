#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "backend/cpu/cpu_device.h"
#include "base/error.h"
#include "data/cache/open_dataset.h"
#include "detect/predictor.h"
#include "model/formula_weights.h"
#include "model/state.h"
#include "testing/message_of.h"
#include "testing/temporary_folder.h"
#include "train/batch_norm_statistics.h"
#include "train/run_state.h"
#include "train/schedule.h"
#include "train/start.h"
#include "train/step_pipeline.h"
#include "weights/checkpoint.h"

namespace ssd {
namespace {

// The recipe: from 0, a step's share of the rate more each step, a tenth at 43 and at 54 epochs.
TEST(Schedule, WarmsUpLinearlyAndFallsAtTheMilestones) {
  const Schedule schedule{.rate = 2, .warmup = 4, .steps_per_epoch = 10.5};
  EXPECT_DOUBLE_EQ(schedule.rate_at(0), 0);
  EXPECT_DOUBLE_EQ(schedule.rate_at(1), 0.5);
  EXPECT_DOUBLE_EQ(schedule.rate_at(4), 2);
  EXPECT_DOUBLE_EQ(schedule.rate_at(451), 2);  // 43 epochs are 451.5 steps
  EXPECT_DOUBLE_EQ(schedule.rate_at(452), 0.2);
  EXPECT_DOUBLE_EQ(schedule.rate_at(567), 0.02);
}

TEST(RunState, SurvivesTheWayToJsonAndBack) {
  RunState state;
  state.model = {.backbone = model::Backbone::resnet101, .stride_in = model::StrideIn::conv1x1, .classes = 3};
  state.categories = {{7, "cell \"a\""}, {9, "b"}};
  state.step = 12;
  state.epoch = 3;
  state.sample = 45;
  state.seed = 18446744073709551615u;
  state.images_per_step = 8;
  state.samples = 292;
  state.data = {.samples = "0123456789abcdef", .images = "files"};
  const RunState back = parse_run_state(to_json(state), "state.json");
  EXPECT_EQ(to_json(back), to_json(state));
  EXPECT_EQ(back.model.backbone, model::Backbone::resnet101);
  EXPECT_EQ(back.categories[0].name, "cell \"a\"");
  EXPECT_EQ(back.seed, state.seed);
}

// Checkpoints said "pictures" before they said "images".
TEST(RunState, OfAnOlderCheckpointTellsWhereItsImagesCameFrom) {
  const char* older = R"({"format": 1,
 "model": {"backbone": "resnet18", "stride_in": "3x3", "classes": 2},
 "step": 12, "epoch": 3, "sample": 45, "seed": 1, "images_per_step": 8, "samples": 292,
 "data": {"samples": "0123456789abcdef", "pictures": "jpeg, max-side 512, quality 90"},
 "options": {"augment": "flip"},
 "categories": [{"id": 7, "name": "cell"}]})";
  const RunState state = parse_run_state(older, "state.json");
  EXPECT_EQ(state.data.samples, "0123456789abcdef");
  EXPECT_EQ(state.data.images, "jpeg, max-side 512, quality 90");
  EXPECT_EQ(state.options.at("augment"), "flip");
  EXPECT_EQ(parse_run_state(to_json(state), "state.json").data.images, state.data.images);
}

// One field after the other of a right state is replaced by what no run writes.
TEST(RunState, RefusesEveryFieldThatCannotBe) {
  const char* right = R"({"format": 1, "model": {"backbone": "resnet18", "stride_in": "3x3", "classes": 3},
    "step": 12, "epoch": 3, "sample": 45, "seed": 1, "images_per_step": 8, "samples": 292,
    "data": {"samples": "0123", "images": "files"}, "owed_evaluation": 2, "options": {"augment": "flip"},
    "pace": {"progress": 12, "variance": 0.5, "mean_square": 2}, "categories": [{"id": 7, "name": "a"},
    {"id": 8, "name": "b"}], "best": {"AP": 0.5, "AP50": 0.7, "step": 9, "epoch": 2, "evaluations_since": 1}})";
  EXPECT_EQ(parse_run_state(right, "state.json").step, 12);
  const std::vector<std::pair<const char*, std::vector<const char*>>> wrong{
      {"/format", {"2", "-1", "\"1\"", "1.5"}},
      {"/model/classes", {"-1", "0", "1", "4", "1e308", "99999999999"}},
      {"/model/backbone", {"7", "\"vgg16\""}},
      {"/model/stride_in", {"null", "\"5x5\""}},
      {"/step", {"-1", "1e308", "1.5", "\"12\"", "null", "922", "0", "18446744073709551615"}},
      {"/epoch", {"-1", "1e308", "4294967296", "2000000000", "[]"}},
      {"/sample", {"-1", "292", "1e20", "{}"}},
      {"/seed", {"-1", "0.5", "\"1\"", "1e30"}},
      {"/images_per_step", {"0", "-8", "9223372036854775807"}},
      {"/samples", {"0", "-1", "45", "1e300"}},
      {"/owed_evaluation", {"-1", "4", "\"2\"", "2.5"}},
      {"/options", {"[]", "{\"augment\": 1}"}},
      {"/data", {"[]", "{\"samples\": 1, \"images\": \"files\"}"}},
      {"/pace/progress", {"-1", "1e300", "\"1\""}},
      {"/pace/variance", {"null", "\"nan\""}},
      {"/best/AP", {"2", "-2", "null"}},
      {"/best/step", {"13", "-1"}},
      {"/best/epoch", {"4"}},
      {"/best/evaluations_since", {"-1", "4294967296"}},
      {"/categories", {"{}", "[]", "[{\"id\": 7, \"name\": \"a\"}]", "[7, 8]"}},
      {"/categories/1/id", {"7", "null", "[8]", "1.5"}},
      {"/categories/1/name", {"7", "null"}},
  };
  for (const auto& [path, values] : wrong)
    for (const char* value : values) {
      nlohmann::json json = nlohmann::json::parse(right);
      json[nlohmann::json::json_pointer(path)] = nlohmann::json::parse(value);
      const std::string message = message_of([&] { parse_run_state(json.dump(), "here/state.json"); });
      EXPECT_TRUE(message.starts_with("here/state.json: not a checkpoint's state: "))
          << path << " " << value << ": " << message;
      EXPECT_EQ(message.find("json.exception"), std::string::npos) << message;
    }
  for (const char* key :
       {"format", "model", "step", "epoch", "sample", "seed", "images_per_step", "samples", "categories"}) {
    nlohmann::json json = nlohmann::json::parse(right);
    json.erase(key);
    EXPECT_THROW(parse_run_state(json.dump(), "state.json"), Error) << key;
  }
}

TEST(RunState, OtherTextIsAnErrorThatNamesTheFile) {
  for (const char* text :
       {"", "{", "[]", R"({"format":99})", R"({"format":1,"model":{"backbone":"vgg16"}})"}) {
    EXPECT_NE(message_of([&] { parse_run_state(text, "here/state.json"); }), "") << text;
  }
}

TEST(FormulaWeights, AreUniformAndDependOnTheName) {
  const std::vector<double> values = model::formula_values("loc.0.weight", 100000);
  double sum = 0, squares = 0;
  for (const double value : values) {
    ASSERT_GE(value, -1);
    ASSERT_LT(value, 1);
    sum += value;
    squares += value * value;
  }
  EXPECT_NEAR(sum / 1e5, 0, 0.01);
  EXPECT_NEAR(squares / 1e5, 1.0 / 3, 0.01);
  EXPECT_NE(values[0], model::formula_values("loc.1.weight", 1)[0]);
}

TEST(RecogniseModel, TellsBackboneAndClassesFromTheTensors) {
  for (const model::Backbone backbone :
       {model::Backbone::resnet18, model::Backbone::resnet34, model::Backbone::resnet50}) {
    const model::ModelOptions options{.backbone = backbone, .classes = 4};
    const model::ModelOptions got = recognise_model(model::formula_weights(options), "weights.pt");
    EXPECT_EQ(got.backbone, backbone);
    EXPECT_EQ(got.classes, 4);
  }
  EXPECT_THROW(recognise_model({}, "weights.pt"), Error);
}

// Steps on the CPU, of two images.
class CpuTraining : public testing::Test {
 protected:
  CpuTraining()
      : dataset_(open_dataset(std::string(SSD_SOURCE_DIR) + "/samples/blood-cells", "train2017")),
        loader_(dataset_, {.batch_size = 2, .buffers = 8}) {}

  StepPipeline pipeline(const model::TrainingOptions& options, int accumulation,
                        StepPipeline::Options pipeline) {
    auto program = std::make_unique<model::TrainingProgram>(*device_, model_, options, accumulation);
    program->load({.weights = model::initial_weights(model_, 1), .slots = {}, .averages = {}});
    return StepPipeline(std::move(program), loader_, stop_, std::move(pipeline));
  }

  const std::unique_ptr<graph::Device> device_ = cpu::make_device();
  model::ModelOptions model_{.backbone = model::Backbone::resnet18, .classes = 4};
  Dataset dataset_;
  Loader loader_;
  std::atomic<bool> stop_ = false;
};

// average' = d average + (1 - d) weight'; d = min(0.2, (1 + step) / (10 + step)), steps counted from 1.
TEST_F(CpuTraining, AveragesTheWeights) {
  StepPipeline steps = pipeline({.batch = 2, .max_boxes = loader_.max_boxes(), .ema = true}, 1,
                                {.pace = {.schedule = {.rate = 0.01}, .steps = 2}, .ema_decay = 0.2});
  TensorMap average = model::initial_weights(model_, 1);
  for (const double decay : {2.0 / 11, 0.2}) {
    ASSERT_TRUE(steps.next().has_value());
    const model::State state = steps.program().save();
    const TensorMap& got = state.averages.at(model::ema);
    EXPECT_FALSE(got.contains("feature_extractor.feature_extractor.1.running_mean"));
    for (const auto& [name, tensor] : got) {
      const auto ours = tensor.as<float>(), weight = state.weights.at(name).as<float>();
      auto expected = average.at(name).as<float>();
      for (std::size_t i = 0; i < ours.size(); ++i) {
        expected[i] = static_cast<float>(decay * expected[i] + (1 - decay) * weight[i]);
        ASSERT_NEAR(ours[i], expected[i], 1e-6 * (1 + std::abs(expected[i]))) << name;
      }
    }
  }
}

TEST_F(CpuTraining, LeavesFrozenStagesAsTheyAre) {
  model_.frozen_stages = 2;
  StepPipeline steps = pipeline({.batch = 2, .max_boxes = loader_.max_boxes()}, 1,
                                {.pace = {.schedule = {.rate = 0.01}, .steps = 2}});
  while (steps.next()) {
  }
  const model::State state = steps.program().save();
  const TensorMap before = model::initial_weights(model_, 1);
  ASSERT_EQ(state.weights.size(), before.size());
  for (const auto& [name, tensor] : before) {
    const std::string backbone = "feature_extractor.feature_extractor.";
    const bool frozen = name.starts_with(backbone + "0.") || name.starts_with(backbone + "1.") ||
                        name.starts_with(backbone + "4.");
    if (!name.starts_with(backbone)) continue;  // some levels match nothing, and their layers rest as well
    EXPECT_EQ(frozen, std::memcmp(state.weights.at(name).data(), tensor.data(), tensor.bytes()) == 0) << name;
    EXPECT_FALSE(frozen && state.slots.at("momentum").contains(name)) << name;
  }
}

double square_of(const TensorMap& tensors) {
  double sum = 0;
  for (const auto& [name, tensor] : tensors)
    if (name.starts_with("gradient/"))
      for (const float value : tensor.as<float>())
        sum += static_cast<double>(value) * static_cast<double>(value);
  return sum;
}

TensorMap difference(const TensorMap& a, const TensorMap& b) {
  TensorMap result;
  for (const auto& [name, tensor] : a) {
    if (!name.starts_with("gradient/")) continue;
    Tensor& to = result[name] = tensor.clone();
    for (std::size_t i = 0; i < to.as<float>().size(); ++i) to.as<float>()[i] -= b.at(name).as<float>()[i];
  }
  return result;
}

// The sums of squares against those of the gradients themselves, in a step of one micro-batch and in one of
// three; the clipped step's weights against the momentum that they must leave.
TEST_F(CpuTraining, GivesTheSquaresOfItsGradients) {
  model::TrainingProgram program(*device_, model_,
                                 {.batch = 2,
                                  .max_boxes = loader_.max_boxes(),
                                  .optimizer = {.weight_decay = 0, .clip_norm = 0.25},
                                  .gradient_squares = true,
                                  .inspect = true},
                                 model::TrainingProgram::varying);
  Tensor rate(DType::f32, {}), scale(DType::f32, {});
  rate.as<float>()[0] = 0.01f;
  for (const int of : {1, 3}) {
    program.load({.weights = model::initial_weights(model_, 1), .slots = {}, .averages = {}});
    scale.as<float>()[0] = 1.0f / static_cast<float>(of);
    TensorMap sum;
    double square = 0;
    for (int micro = 0; micro < of; ++micro) {
      const auto batch = loader_.next();
      program.start(micro, of,
                    {batch->images, batch->match, batch->boxes, batch->labels, rate, scale, {}, {}});
      model::TrainingOutputs outputs = program.finish();
      const double own =
          micro == 0 ? square_of(outputs.inspected) : square_of(difference(outputs.inspected, sum));
      EXPECT_NEAR(outputs.micro_square.as<float>()[0], own, 1e-4 * own) << micro << " of " << of;
      EXPECT_EQ(outputs.step_square.data() != nullptr, micro + 1 == of);
      sum = std::move(outputs.inspected);
      if (micro + 1 == of) square = outputs.step_square.as<float>()[0];
    }
    EXPECT_NEAR(square, square_of(sum), 1e-5 * square);
    ASSERT_GT(square, 0.25 * 0.25);
    const model::State after = program.save();
    double momentum = 0;  // the first step's is the clipped gradient
    for (const auto& [name, tensor] : after.slots.at("momentum"))
      for (const float value : tensor.as<float>())
        momentum += static_cast<double>(value) * static_cast<double>(value);
    EXPECT_NEAR(std::sqrt(momentum), 0.25, 1e-5);
  }
}

TEST(BatchNormStatistics, DependOnTheWeightsAloneAndNotOnTheOldAverages) {
  const std::string samples = std::string(SSD_SOURCE_DIR) + "/samples/blood-cells";
  const Dataset dataset = open_dataset(samples, "train2017");
  const model::ModelOptions model{.backbone = model::Backbone::resnet18, .classes = 4};
  const auto device = cpu::make_device();
  TensorMap weights = model::initial_weights(model, 1);
  TensorMap spoilt = model::initial_weights(model, 1);
  for (auto& [name, tensor] : spoilt)
    if (name.ends_with("running_mean"))
      for (float& value : tensor.as<float>()) value = 100;
  const StatisticsOptions options{.images = 4, .batch = 2};
  reestimate_batch_norm(weights, *device, model, dataset, options);
  reestimate_batch_norm(spoilt, *device, model, dataset, options);
  bool moved = false;
  for (const auto& [name, tensor] : weights) {
    EXPECT_EQ(0, std::memcmp(tensor.data(), spoilt.at(name).data(), tensor.bytes())) << name;
    if (name.ends_with("running_var"))
      for (const float value : tensor.as<float>()) moved = moved || value != 1.0f;
  }
  EXPECT_TRUE(moved);
}

TEST(BatchNormStatistics, OfBatchesOfOneImageAreFinite) {
  const Dataset dataset = open_dataset(std::string(SSD_SOURCE_DIR) + "/samples/blood-cells", "train2017");
  const model::ModelOptions model{.backbone = model::Backbone::resnet18, .classes = 4};
  TensorMap weights = model::initial_weights(model, 1);
  const auto device = cpu::make_device();
  reestimate_batch_norm(weights, *device, model, dataset, {.images = 2, .batch = 1});
  for (const auto& [name, tensor] : weights)
    for (const float value : tensor.as<float>()) ASSERT_TRUE(std::isfinite(value)) << name;
}

}  // namespace
}  // namespace ssd
