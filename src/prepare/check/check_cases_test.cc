#include <gtest/gtest.h>

#include <filesystem>

#include "prepare/check/check.h"

namespace ssd {
namespace {

namespace fs = std::filesystem;

// Folders after public reports: what is wrong with each, and how often.
TEST(CheckCases, EveryFolderIsUnderstoodAndItsFaultsCounted) {
  const fs::path cases = SSD_SOURCE_DIR "/../shared/cases";
  if (!fs::exists(cases)) GTEST_SKIP() << "shared/cases is not beside the source tree";
  const auto count = [&](const char* folder, CheckProblem problem) {
    return check_path(cases / folder, {.images = CheckOptions::Images::headers}).count(problem);
  };
  EXPECT_EQ(count("train-val-overlap", CheckProblem::image_in_two_splits), 4u);
  EXPECT_EQ(count("roboflow-coco", CheckProblem::root_category), 3u);   // of three files
  EXPECT_EQ(count("broken-bbox/e", CheckProblem::entry_left_out), 6u);  // three in each of two files
  EXPECT_GT(count("annotation-ids/from0", CheckProblem::annotation_id_zero), 0u);
  EXPECT_GT(count("annotation-ids/per-image", CheckProblem::duplicate_annotation_id), 0u);
  EXPECT_EQ(count("label-studio-coco", CheckProblem::image_missing), 0u);
  EXPECT_EQ(count("yolo-tracked/ids-1-2", CheckProblem::track_passed_over), 72u);  // lines of the label files
  EXPECT_EQ(count("encodings/e", CheckProblem::annotations_unreadable), 1u);
  EXPECT_TRUE(check_path(cases / "voc-utf16-lists/utf16").good());
  EXPECT_TRUE(check_path(cases / "png/yolo").good());
}

}  // namespace
}  // namespace ssd
