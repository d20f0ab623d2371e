#include "prepare/check/check_entries.h"

#include <gtest/gtest.h>

#include "testing/import_folder.h"

namespace ssd {
namespace {

class CheckEntriesTest : public FolderTest {
 protected:
  CheckReport check_with(const std::string& from, const std::string& to) const {
    write_jpeg("coco/val2017/a.jpg", 40, 30);
    write_jpeg("coco/val2017/b.jpg", 40, 30);
    std::string json = R"({"images": [{"id": 1, "file_name": "a.jpg", "width": 40, "height": 30},
  {"id": 2, "file_name": "b.jpg", "width": 40, "height": 30}],
 "annotations": [{"id": 5, "image_id": 1, "category_id": 3, "bbox": [0, 0, 40, 30]},
  {"id": 6, "image_id": 1, "category_id": 4, "bbox": [1, 2, 3, 4]}],
 "categories": [{"id": 3, "name": "cat"}, {"id": 4, "name": "dog"}, {"id": 9, "name": "cow"}]})";
    EXPECT_TRUE(contains(json, from));
    json.replace(json.find(from), from.size(), to);
    write("coco/annotations/instances_val2017.json", json);
    return check_path(root_ / "coco");
  }
  static void expect_one(const CheckReport& report, CheckProblem problem, std::string_view place,
                         std::string_view detail) {
    ASSERT_EQ(report.findings.size(), 1u) << report.to_text();
    EXPECT_EQ(report.findings[0].problem, problem) << report.to_text();
    EXPECT_TRUE(contains(report.findings[0].place, place)) << report.to_text();
    EXPECT_TRUE(contains(report.findings[0].detail, detail)) << report.to_text();
  }
};

TEST_F(CheckEntriesTest, WhatIsMendedIsNamed) {
  expect_one(check_with(R"("bbox": [1, 2, 3, 4])", R"("segmentation": [[1, 2, 4, 2, 4, 6]])"),
             CheckProblem::polygon_boxed, "instances_val2017.json",
             "annotation 1 has no bbox: [1, 2, 3, 4] of its segmentation is taken");
  expect_one(check_with(R"("id": 6, )", ""), CheckProblem::field_filled, "instances_val2017.json",
             "annotation 1 has no id");
  expect_one(check_with(R"("name": "cow")", R"("name": null)"), CheckProblem::field_filled,
             "instances_val2017.json", "category 2 has no name: it is called \"9\"");
  expect_one(check_with(R"("cow")", R"("CAT")"), CheckProblem::classes_alike, "instances_val2017.json",
             "cat and CAT");
  expect_one(check_with(R"("id": 2, "file)", R"("id": "b-2", "file)"), CheckProblem::ids_are_texts,
             "instances_val2017.json", "1 image, the first is \"b-2\"");
}

TEST_F(CheckEntriesTest, TextsAsIdsAreShownAsTheyAre) {
  expect_one(check_with(R"({"id": 9, "name")", R"({"id": "c-9", "name")"), CheckProblem::ids_are_texts,
             "instances_val2017.json", "1 category, the first is \"c-9\"");
  expect_one(check_with(R"("category_id": 4)", R"("category_id": "horse")"), CheckProblem::unknown_category,
             "annotation 6", "got category \"horse\", which is not listed");
  expect_one(check_with(R"("category_id": 4)", R"("category_id": "dog")"), CheckProblem::unknown_category,
             "annotation 6", "got category \"dog\", which is not listed: it is the name of 4, write that");
  expect_one(check_with(R"("image_id": 1, "category_id": 4)", R"("image_id": "c.jpg", "category_id": 4)"),
             CheckProblem::unknown_image, "annotation 6", "got image \"c.jpg\", which is not listed");
}

TEST_F(CheckEntriesTest, WhatIsListedTwiceIsAProblemEvenWhereItIsTheSame) {
  const CheckReport same =
      check_with(R"({"id": 2, "file_name": "b.jpg")", R"({"id": 1, "file_name": "a.jpg")");
  expect_one(same, CheckProblem::duplicate_image_id, "instances_val2017.json",
             "image 1 (a.jpg) is listed again");
  EXPECT_FALSE(same.good());
  expect_one(check_with(R"({"id": 9, "name": "cow"})", R"({"id": 3, "name": "cat"})"),
             CheckProblem::duplicate_category, "instances_val2017.json", "category 3 (cat) is listed again");
}

}  // namespace
}  // namespace ssd
