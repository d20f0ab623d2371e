// Exported networks: read back by ourselves, and held against PyTorch's layout by a script.
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <set>

#include "base/error.h"
#include "export/export_format.h"
#include "export/reference_checkpoint.h"
#include "model/formula_weights.h"
#include "model/state.h"
#include "testing/temporary_folder.h"
#include "weights/safetensors.h"

namespace ssd {
namespace {

ExportSource source_of(model::Backbone backbone, std::int64_t classes) {
  ExportSource source;
  source.network.model = {.backbone = backbone, .classes = classes};
  source.network.weights = model::formula_weights(source.network.model);
  for (std::int64_t label = 1; label < classes; ++label)
    source.network.categories.push_back({label, "name " + std::to_string(label)});
  TrainingProgress progress{.step = 1234,
                            .epoch = 50,
                            .options = {{"optimizer", "sgd"},
                                        {"learning-rate", "0.0026"},
                                        {"momentum", "0.9"},
                                        {"weight-decay", "0.0005"},
                                        {"schedule", "multistep"},
                                        {"multistep", "43 54"}},
                            .momentum = {}};
  std::map<std::string, Shape> trained;
  for (const model::StateTensor& tensor : model::state_tensors(source.network.model))
    if (tensor.trained) trained.emplace(tensor.name, tensor.shape);
  float number = 0;
  for (const auto& [name, shape] : trained) {
    Tensor momentum(DType::f32, shape);
    for (float& value : momentum.as<float>()) value = number;
    number += 1;
    progress.momentum.emplace(name, std::move(momentum));
  }
  source.progress = std::move(progress);
  return source;
}

class Exported : public testing::TestWithParam<const char*> {};

TEST_P(Exported, RoundTripIsBitIdentical) {
  const TemporaryFolder folder;
  const ExportSource source = source_of(model::Backbone::resnet18, 6);
  const auto file = folder.path() / "network";
  export_format_named(GetParam()).write(source, {}, file);
  const TrainedModel back = read_model(file);
  EXPECT_EQ(back.model.backbone, source.network.model.backbone);
  EXPECT_EQ(back.model.classes, 6);
  EXPECT_TRUE(back.knows_names);
  ASSERT_EQ(back.categories.size(), 5u);
  EXPECT_EQ(back.categories[4].name, "name 5");
  ASSERT_EQ(back.weights.size(), source.network.weights.size());
  for (const auto& [name, tensor] : source.network.weights) {
    ASSERT_EQ(back.weights.at(name).shape(), tensor.shape()) << name;
    EXPECT_EQ(std::memcmp(back.weights.at(name).data(), tensor.data(), tensor.bytes()), 0) << name;
  }
}

INSTANTIATE_TEST_SUITE_P(Formats, Exported, testing::Values("torch", "safetensors"),
                         [](const auto& test) { return std::string(test.param); });

TEST(ExportedTensors, SayWhereTheStrideIs) {
  const TemporaryFolder folder;
  ExportSource source = source_of(model::Backbone::resnet50, 4);
  source.network.model.stride_in = model::StrideIn::conv1x1;
  source.network.knows_stride = true;
  const auto file = folder.path() / "network";
  export_format_named("safetensors").write(source, {}, file);
  const TrainedModel back = read_model(file);
  EXPECT_TRUE(back.knows_stride);
  EXPECT_EQ(back.model.stride_in, model::StrideIn::conv1x1);
  write_safetensors(file, source.network.weights, {{"stride_in", "5x5"}});
  EXPECT_THROW(read_model(file), Error);
}

class ReferenceCheckpoint : public testing::TestWithParam<const char*> {};

TEST_P(ReferenceCheckpoint, HasPyTorchsNamesOrderAndStates) {
  const TemporaryFolder folder;
  const std::string file = (folder.path() / "a.pt").string();
  EXPECT_TRUE(write_reference_checkpoint(source_of(model::backbone_named(GetParam()), 4), file).empty());
  const std::string script = SSD_SOURCE_DIR "/src/export/check_reference_file.py";
  EXPECT_EQ(std::system(("python3 '" + script + "' '" + file + "' " + GetParam() + " 4").c_str()), 0);
}

INSTANTIATE_TEST_SUITE_P(Backbones, ReferenceCheckpoint,
                         testing::Values("resnet18", "resnet34", "resnet50", "resnet101", "resnet152"),
                         [](const auto& test) { return std::string(test.param); });

TEST(ReferenceCheckpointNotes, SayWhatTheFileLacks) {
  const TemporaryFolder folder;
  const auto file = folder.path() / "a.pt";
  ExportSource source = source_of(model::Backbone::resnet18, 4);
  source.progress->within_epoch = true;
  source.progress->options["schedule"] = "cosine";
  auto notes = write_reference_checkpoint(source, file);
  ASSERT_EQ(notes.size(), 2u);
  EXPECT_NE(notes[0].find("within epoch 50"), std::string::npos);
  EXPECT_NE(notes[1].find("no scheduler"), std::string::npos);
  source.progress->options["freeze-backbone"] = "2";
  notes = write_reference_checkpoint(source, file);
  ASSERT_EQ(notes.size(), 2u);
  EXPECT_NE(notes[1].find("the run froze some"), std::string::npos);
  source.progress->options["optimizer"] = "adamw";
  notes = write_reference_checkpoint(source, file);
  ASSERT_EQ(notes.size(), 2u);
  EXPECT_NE(notes[1].find("no optimizer"), std::string::npos);
}

TEST(ReferenceCheckpointNotes, MomentumThatIsMissingIsRefusedByName) {
  const TemporaryFolder folder;
  ExportSource source = source_of(model::Backbone::resnet18, 4);
  source.progress->momentum.erase("loc.0.bias");
  try {
    write_reference_checkpoint(source, folder.path() / "a.pt");
    FAIL() << "was written";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("'loc.0.bias'"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace ssd
