#include "detect/evaluation_notes.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "detect/evaluation.h"
#include "eval/detections_json.h"

namespace ssd {
namespace {

namespace fs = std::filesystem;

CocoFile truth_with_ids(std::vector<std::int64_t> ids) {
  CocoFile truth;
  truth.images = {{.id = 1}};
  truth.categories = {{1, "cat"}, {2, "dog"}};
  for (const std::int64_t id : ids)
    truth.annotations.push_back(
        {.id = id, .image_id = 1, .category_id = 1, .bbox = {0, 0, 9, 9}, .area = 81});
  return truth;
}

const std::vector<DetectedBox> found{{.image_id = 1, .category_id = 1, .box = {0, 0, 9, 9}, .score = 1}};

std::string only_note(const CocoFile& truth, const std::vector<DetectedBox>& detections,
                      const CocoLimits& limits = coco_limits) {
  const std::vector<std::string> notes = evaluation_notes(truth, detections, limits);
  EXPECT_EQ(notes.size(), 1u);
  return notes.empty() ? "" : notes.front();
}

TEST(EvaluationNotes, NamesWhatMisleads) {
  EXPECT_TRUE(evaluation_notes(truth_with_ids({1, 2}), found).empty());
  EXPECT_TRUE(only_note(truth_with_ids({0, 1}), found).starts_with("1 object has the id 0"));
  EXPECT_TRUE(only_note(truth_with_ids({1, 1}), found).starts_with("1 annotation id occurs before"));
  EXPECT_TRUE(only_note(truth_with_ids({}), found).starts_with("its 1 image has no object"));
  EXPECT_TRUE(only_note(truth_with_ids({1, 2, 3}), found, {1, 2, 2}).starts_with("1 image has more objects"));
  std::vector<DetectedBox> others = found;
  others[0].category_id = 2;
  EXPECT_EQ(only_note(truth_with_ids({1}), others), "1 category has objects and no detection: cat");
  others.push_back(found[0]), others[0].category_id = 7;
  EXPECT_TRUE(
      only_note(truth_with_ids({1}), others).starts_with("1 detection is of categories that are not"));
}

TEST(EvaluationNotes, DetectionsAsCornersAreNamed) {
  CocoFile truth = truth_with_ids({});
  std::vector<DetectedBox> boxes, corners;
  for (int i = 1; i <= 9; ++i) {
    const double left = 50 * i;
    truth.annotations.push_back(
        {.id = i, .image_id = 1, .category_id = 1, .bbox = {left, 30, 20, 10}, .area = 200});
    boxes.push_back({.image_id = 1, .category_id = 1, .box = {left, 30, 20, 10}, .score = 1});
    corners.push_back({.image_id = 1, .category_id = 1, .box = {left, 30, left + 20, 40}, .score = 1});
  }
  EXPECT_TRUE(evaluation_notes(truth, boxes).empty());
  EXPECT_TRUE(
      only_note(truth, corners)
          .starts_with("the boxes of the detections seem to be left, top, right, bottom: 9 of the first 9"));
  EXPECT_EQ(only_note(truth, {}), "there are no detections: nothing is found");
}

// 300 objects that do not overlap, each found: N detections find N of them.
TEST(EvaluationNotes, LimitsOfDetectionsAreTheCallers) {
  const fs::path folder = fs::path(SSD_SOURCE_DIR) / "../shared/cases/300-objects";
  if (!fs::exists(folder)) GTEST_SKIP() << folder << " is not there";
  const CocoFile truth = read_coco(folder / "gt.json", {.fields = CocoReadOptions::Fields::ids});
  const std::vector<DetectedBox> detections = read_detections(folder / "dt.json");
  const EvaluationReport report = evaluate_detections(truth, detections, {.limits = {1, 10, 500}});
  EXPECT_DOUBLE_EQ(report.numbers[0], 1);
  EXPECT_DOUBLE_EQ(report.numbers[7], 10 / 300.0);
  EXPECT_DOUBLE_EQ(report.numbers[8], 1);
  EXPECT_NE(to_json(report).find("\"AR500\":1.0"), std::string::npos);
  EXPECT_TRUE(evaluation_notes(truth, detections, {1, 10, 500}).empty());
  EXPECT_DOUBLE_EQ(evaluate_detections(truth, detections).numbers[8], 100 / 300.0);
  EXPECT_TRUE(only_note(truth, detections).ends_with("--max-detections 1,10,300 counts more"));
}

}  // namespace
}  // namespace ssd
