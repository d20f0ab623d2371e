// `singleshot eval` from files alone, and `singleshot verify` against the golden values.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "program.h"

namespace ssd {
namespace {

TEST(Verify, ResNet18HoldsOnTheCpu) {
  if (shared_file("golden/resnet18.json").empty()) GTEST_SKIP() << "../shared/golden is missing";
  const Outcome outcome = run_program({"verify", shared_file("golden") + "/resnet18"});
  EXPECT_EQ(outcome.exit_status, 0) << outcome.out << outcome.err;
}

// The set's own expected numbers, as pycocotools prints them with all digits.
void expect_numbers(const std::string& folder, const char* truth, const char* detections,
                    const char* expected) {
  const TemporaryFolder output;
  const Outcome outcome = run_program({"eval", "--ground-truth", folder + truth, "--detections",
                                       folder + detections, "--json", output / "numbers.json"});
  ASSERT_EQ(outcome.exit_status, 0) << outcome.err;
  const nlohmann::json ours = nlohmann::json::parse(read_file(output / "numbers.json")).at("numbers");
  nlohmann::json theirs = nlohmann::json::parse(read_file(folder + "/expected.json")).at(expected);
  if (theirs.contains("stats")) theirs = theirs["stats"];
  ASSERT_EQ(theirs.size(), 12u);
  for (const auto& [name, value] : theirs.items()) EXPECT_EQ(ours.at(name), value) << name;
}

TEST(Eval, GivesTheOfficialPairsNumbers) {
  const std::string folder = shared_file("data/coco-eval/cocoapi-fakebbox100");
  if (folder.empty()) GTEST_SKIP() << "../shared/data/coco-eval is missing";
  expect_numbers(folder, "/instances_val2014_100.json", "/instances_val2014_fakebbox100_results.json",
                 "full_bbox");
}

TEST(Eval, GivesThePublishedNumbersOfTheSampledSet) {
  const std::string folder = shared_file("data/coco-eval/coco-sampled-bbox-area");
  if (folder.empty()) GTEST_SKIP() << "../shared/data/coco-eval is missing";
  expect_numbers(folder, "/sampled_gts_bbox_area.json", "/sampled_bbox_results.json",
                 "pycocotools_2.0.11_here");
}

TEST(Eval, FailsWhereADetectionIsOfAnUnknownImage) {
  const TemporaryFolder folder;
  write_file(folder / "detections.json",
             R"([{"image_id": 123456, "category_id": 1, "bbox": [1, 2, 3, 4], "score": 0.5}])");
  const Outcome outcome =
      run_program({"eval", "--ground-truth", sample_data() + "/annotations/instances_val2017.json",
                   "--detections", folder / "detections.json"});
  EXPECT_EQ(outcome.exit_status, 1) << outcome.out;
  EXPECT_NE(outcome.err.find("123456"), std::string::npos) << outcome.err;
}

}  // namespace
}  // namespace ssd
