// What a resumed run refuses, and what it says has changed.
#include "train/start.h"

#include <gtest/gtest.h>

#include <cstring>

#include "base/error.h"
#include "data/cache/open_dataset.h"
#include "data/dataset/dataset_identity.h"
#include "export/reference_checkpoint.h"
#include "testing/temporary_folder.h"
#include "weights/checkpoint.h"

namespace ssd {
namespace {

Dataset samples() { return open_dataset(std::string(SSD_SOURCE_DIR) + "/samples/blood-cells", "val2017"); }

RunState state_of(const Dataset& dataset) {
  return {.model = {.backbone = model::Backbone::resnet18,
                    .classes = static_cast<std::int64_t>(dataset.categories.size()) + 1},
          .categories = dataset.categories,
          .step = 3,
          .epoch = static_cast<std::uint32_t>(24 / dataset.samples.size()),
          .sample = 24 % dataset.samples.size(),
          .images_per_step = 8,
          .samples = dataset.samples.size(),
          .data = identity_of(dataset),
          .options = {{"batch-size", "4"}, {"accumulation", "2"}}};
}

class Resume : public testing::Test {
 protected:
  // Resumes the run of `state` on `dataset`; the changed options' lines, or the refusal.
  std::vector<std::string> resume(const std::string& state_json, const Dataset& dataset,
                                  RunState::Options options = {}) {
    write_checkpoint(folder_.path(), 3, {{}, {}, state_json});
    const ResumeOptions asked{.model = {.backbone = model::Backbone::resnet18},
                              .images_per_step = 8,
                              .options = std::move(options)};
    std::vector<std::string> lines;
    try {
      EXPECT_TRUE(resumed_start(folder_.path(), dataset, asked, lines).has_value());
    } catch (const Error& error) {
      lines = {std::string("refused: ") + error.what()};
    }
    return lines;
  }
  static bool refused(const std::vector<std::string>& lines) {
    return !lines.empty() && lines[0].starts_with("refused: ");
  }

  TemporaryFolder folder_;
};

TEST_F(Resume, AcceptsTheSameDataWhereverItLies) {
  const Dataset dataset = samples();
  EXPECT_EQ(resume(to_json(state_of(dataset)), dataset), std::vector<std::string>{});
  Dataset moved = dataset;
  for (Sample& sample : moved.samples)
    sample.file = "elsewhere" / std::filesystem::path(sample.file).filename();
  EXPECT_EQ(resume(to_json(state_of(dataset)), moved), std::vector<std::string>{});
}

TEST_F(Resume, RefusesOtherDataOfTheSameSize) {
  const Dataset dataset = samples();
  Dataset other = dataset;
  other.samples[1].boxes[0].box.left += 0.001f;
  EXPECT_TRUE(refused(resume(to_json(state_of(dataset)), other)));
  RunState of_cache = state_of(dataset);
  of_cache.data.images = "raw, max-side 400";
  const std::vector<std::string> lines = resume(to_json(of_cache), dataset);
  ASSERT_TRUE(refused(lines));
  EXPECT_NE(lines[0].find("raw, max-side 400"), std::string::npos) << lines[0];
}

TEST_F(Resume, AcceptsACheckpointThatDoesNotKnowItsData) {
  const Dataset dataset = samples();
  std::string json = to_json(state_of(dataset));
  const std::size_t begin = json.find(" \"data\": {"), end = json.find(" \"options\"");
  ASSERT_LT(begin, end);
  json.erase(begin, end - begin);
  EXPECT_EQ(resume(json, dataset, {{"replicas", "1"}}), std::vector<std::string>{});
}

TEST_F(Resume, SaysWhatMakesTheSameImagesAnotherStep) {
  const Dataset dataset = samples();
  EXPECT_EQ(resume(to_json(state_of(dataset)), dataset, {{"batch-size", "8"}, {"accumulation", "1"}}),
            (std::vector<std::string>{"--accumulation: 1 from here on, 2 before",
                                      "--batch-size: 8 from here on, 4 before"}));
}

// A checkpoint as the PyTorch recipe writes it, whose layout export_test.cc holds against PyTorch's.
class ReferenceRun : public testing::Test {
 protected:
  ReferenceRun() {
    source_.network.model = {.backbone = model::Backbone::resnet18,
                             .classes = static_cast<std::int64_t>(dataset_.categories.size()) + 1};
    source_.network.weights = model::initial_weights(source_.network.model, 5);
    source_.network.categories = dataset_.categories;
    TrainingProgress progress{.step = 999,
                              .epoch = 3,
                              .options = {{"optimizer", "sgd"},
                                          {"learning-rate", "0.0026"},
                                          {"momentum", "0.9"},
                                          {"weight-decay", "0.0005"}},
                              .momentum = {}};
    float value = 0;
    for (const model::StateTensor& tensor : model::state_tensors(source_.network.model)) {
      if (!tensor.trained) continue;
      Tensor& momentum = progress.momentum[tensor.name] = Tensor(DType::f32, tensor.shape);
      for (float& element : momentum.as<float>()) element = value += 1;
    }
    source_.progress = std::move(progress);
  }

  TrainingStart start(std::int64_t images_per_step) {
    write_reference_checkpoint(source_, file_);
    FreshOptions options;
    options.model.backbone = model::Backbone::resnet18;
    options.checkpoint = file_;
    options.continued_images_per_step = images_per_step;
    return fresh_start(options, dataset_);
  }

  const Dataset dataset_ = samples();
  ExportSource source_;
  TemporaryFolder folder_;
  const std::filesystem::path file_ = folder_.path() / "epoch_2.pt";
};

TEST_F(ReferenceRun, GoesOnWithItsMomentumAtTheFirstStepOfTheEpoch) {
  const std::int64_t images =
      static_cast<std::int64_t>(dataset_.samples.size()) - 1;  // splits no epoch evenly
  const TrainingStart begun = start(images);
  const auto samples = static_cast<std::int64_t>(dataset_.samples.size());
  EXPECT_EQ(begun.state.step, (3 * samples + images - 1) / images);
  EXPECT_EQ(begun.state.epoch, 3u);
  EXPECT_EQ(static_cast<std::int64_t>(begun.state.sample), begun.state.step * images - 3 * samples);
  EXPECT_EQ(begun.state.pace.progress, static_cast<double>(begun.state.step));
  const TensorMap& momentum = begun.tensors.slots.at("momentum");
  ASSERT_EQ(momentum.size(), source_.progress->momentum.size());
  for (const auto& [name, tensor] : source_.progress->momentum)
    EXPECT_EQ(std::memcmp(momentum.at(name).data(), tensor.data(), tensor.bytes()), 0) << name;
  EXPECT_NE(begun.origin.find("after 3 epochs (999 iterations"), std::string::npos) << begun.origin;
}

TEST_F(ReferenceRun, BeginsAtStepZeroWhereItIsNotAskedToGoOnOrCannot) {
  EXPECT_EQ(start(0).state.step, 0);
  source_.progress->options["optimizer"] = "adamw";  // the file then has no optimizer
  const TrainingStart without = start(8);
  EXPECT_EQ(without.state.step, 0);
  EXPECT_TRUE(without.tensors.slots.empty());
  EXPECT_NE(without.origin.find("step 0"), std::string::npos) << without.origin;
  source_.progress->options["optimizer"] = "sgd";
  source_.network.categories[0].name = "something else";
  EXPECT_EQ(start(8).state.step, 0);
}

}  // namespace
}  // namespace ssd
