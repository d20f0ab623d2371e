// What a resumed run refuses, and what it says has changed.
#include "train/start.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "data/cache/open_dataset.h"
#include "data/dataset/dataset_identity.h"
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

}  // namespace
}  // namespace ssd
