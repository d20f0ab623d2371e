#include "data/dataset/coco_settle.h"

#include <gtest/gtest.h>

#include "data/dataset/class_names.h"

namespace ssd {
namespace {

constexpr CocoReadOptions lenient;

// pycocotools' COCO(file).imgs and .cats of such lists: {3: c.jpg, 2: b.jpg}, {1: cow}.
TEST(CocoSettle, OfImagesAndCategoriesOfOneIdTheLastIsTaken) {
  CocoFile coco = parse_coco(R"({"images": [{"id": 3, "file_name": "a.jpg"}, {"id": 2, "file_name": "b.jpg"},
      {"id": 3, "file_name": "c.jpg"}, {"id": 2, "file_name": "b.jpg", "width": 5}],
    "annotations": [{"id": 1, "image_id": 3, "category_id": 1, "bbox": [1, 2, 3, 4]}],
    "categories": [{"id": 1, "name": "cat"}, {"id": 1, "name": "cow"}, {"id": 1, "name": "cow"}]})",
                             "a.json", lenient);
  settle_ids(coco);
  ASSERT_EQ(coco.images.size(), 2u);
  EXPECT_EQ(coco.images[0].file_name, "c.jpg");
  EXPECT_EQ(coco.images[1].file_name, "b.jpg");
  EXPECT_EQ(coco.images[1].width, 5);
  ASSERT_EQ(coco.categories.size(), 1u);
  EXPECT_EQ(coco.categories[0].name, "cow");
  EXPECT_EQ(coco.annotations.size(), 1u);
  ASSERT_EQ(coco.left_out.size(), 2u);
  EXPECT_EQ(coco.left_out[0].what, CocoLeftOut::What::image_of_same_id);
  EXPECT_TRUE(coco.left_out[0].reason.starts_with("image 3 (a.jpg): its id occurs again further on (c.jpg)"))
      << coco.left_out[0].reason;
  EXPECT_EQ(coco.left_out[1].what, CocoLeftOut::What::category_of_same_id);
  ASSERT_EQ(coco.mended.size(), 2u);
  EXPECT_EQ(coco.mended[0].what, CocoMended::What::image_repeated);
  EXPECT_EQ(coco.mended[0].text, "image 2 (b.jpg) is listed again");
  EXPECT_EQ(coco.mended[1].what, CocoMended::What::category_repeated);
}

TEST(CocoSettle, AnnotationsWithoutAnIdGetOneOfTheirOwn) {
  const CocoFile coco = parse_coco(R"({"images": [], "categories": [], "annotations": [
    {"image_id": 3, "category_id": 1, "bbox": [1, 2, 3, 4]}, {"id": 1, "image_id": 3, "category_id": 1, "bbox": [1, 2, 3, 4]},
    {"id": null, "image_id": 3, "category_id": 1, "bbox": [1, 2, 3, 4]}]})",
                                   "a.json", lenient);
  ASSERT_EQ(coco.annotations.size(), 3u);
  EXPECT_EQ(coco.annotations[0].id, 2);
  EXPECT_EQ(coco.annotations[1].id, 1);
  EXPECT_EQ(coco.annotations[2].id, 3);
  ASSERT_EQ(coco.mended.size(), 2u);
  EXPECT_EQ(coco.mended[1].text, "byte 181 (line 3): annotation 2 has no id: it gets one");
}

// Python's json module takes the last of two equal keys.
TEST(Coco, OfTwoListsTheLastOneCountsWithItsFaultsAlone) {
  const CocoFile coco =
      parse_coco(R"({"annotations": [{"id": 1}, {"image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4]}],
    "categories": [{"id": 1}], "images": [{"id": 1}, {"id": 2, "file_name": "b.jpg"}],
    "annotations": [], "categories": [{"id": 1, "name": "cat"}, 5], "images": [{"id": 3, "file_name": "a.jpg"}]})",
                 "a.json", lenient);
  EXPECT_EQ(coco.images.size(), 1u);
  EXPECT_TRUE(coco.mended.empty());
  ASSERT_EQ(coco.left_out.size(), 1u);
  EXPECT_EQ(coco.left_out[0].what, CocoLeftOut::What::category);
}

TEST(Coco, AnAreaOrAFlagInWordsCostsNoBox) {
  const CocoFile coco = parse_coco(R"({"images": [], "categories": [], "annotations": [
    {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4], "area": "big", "iscrowd": "false"},
    {"id": 2, "image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4], "area": "7.5", "iscrowd": "true"}]})",
                                   "a.json", lenient);
  ASSERT_EQ(coco.annotations.size(), 2u);
  EXPECT_EQ(coco.annotations[0].area, 12);
  EXPECT_FALSE(coco.annotations[0].iscrowd);
  EXPECT_EQ(coco.annotations[1].area, 7.5);
  EXPECT_TRUE(coco.annotations[1].iscrowd);
  ASSERT_EQ(coco.mended.size(), 1u);
  EXPECT_TRUE(coco.mended[0].text.ends_with("annotation 0: area: got \"big\", expected a number"))
      << coco.mended[0].text;
}

// As uuid.uuid4().int gives them.
TEST(Coco, IdsBeyond64BitsAreToldApart) {
  const CocoFile coco =
      parse_coco(R"({"categories": [], "images": [{"id": 340282366920938463463374607431768211455,
    "file_name": "a.jpg"}, {"id": 340282366920938463463374607431768211454, "file_name": "b.jpg"}, {"id": 9223372036854775807, "file_name": "c"}],
    "annotations": [{"id": 1, "image_id": 340282366920938463463374607431768211454, "category_id": 1, "bbox": [1, 2, 3, 4]}]})",
                 "a.json", lenient);
  ASSERT_EQ(coco.images.size(), 3u);
  EXPECT_NE(coco.images[0].id, coco.images[1].id);
  EXPECT_EQ(coco.annotations.at(0).image_id, coco.images[1].id);
  EXPECT_EQ(coco.images[2].id_text, "");
}

TEST(ClassNames, ThoseThatMayBeMeantToBeOneAreNamed) {
  const std::vector<CocoCategory> categories{{1, "cat"}, {2, "Cat"}, {3, "dog"}, {4, "dog"}, {5, "CAT"}};
  EXPECT_EQ(names_alike(categories), (std::vector<std::string>{"cat and Cat", "cat and CAT"}));
  EXPECT_EQ(names_shared(categories), (std::vector<std::string>{"dog (3 and 4)"}));
}

}  // namespace
}  // namespace ssd
