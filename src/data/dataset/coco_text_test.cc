// Texts in COCO files: ids, and what hands have written.
#include <gtest/gtest.h>

#include <string>

#include "base/error.h"
#include "data/dataset/coco.h"

namespace ssd {
namespace {

TEST(CocoText, IdsOfCategoriesMayBeAnyTexts) {
  const CocoFile coco = parse_coco(R"({"images": [{"id": 1, "file_name": "a.jpg", "width": 40, "height": 30}],
    "annotations": [{"id": 1, "image_id": 1, "category_id": "cat", "bbox": [0, 0, 4, 4]},
      {"id": 2, "image_id": 1, "category_id": 7, "bbox": [0, 0, 4, 4]},
      {"id": 3, "image_id": "b.jpg", "category_id": "cow", "bbox": [0, 0, 4, 4]}],
    "categories": [{"id": "cat", "name": "Cat"}, {"id": "dog"}, {"id": "7", "name": "seven"}]})",
                                   "a.json", {.faults = CocoReadOptions::Faults::refuse});
  ASSERT_EQ(coco.categories.size(), 3u);
  EXPECT_EQ(written_id(coco.categories[0]), "cat");
  EXPECT_TRUE(has_text_id(coco.categories[0]));
  EXPECT_EQ(coco.categories[1].name, "dog");
  EXPECT_EQ(coco.categories[2].id, 7);
  EXPECT_FALSE(has_text_id(coco.categories[2]));
  EXPECT_EQ(coco.annotations[0].category_id, coco.categories[0].id);
  EXPECT_EQ(coco.annotations[1].category_id, coco.categories[2].id);
  // Of no image and no category.
  EXPECT_EQ(coco.unlisted_ids.size(), 2u);
  EXPECT_EQ(unlisted_id(coco, coco.annotations[2].category_id), "\"cow\"");
  EXPECT_EQ(unlisted_id(coco, coco.annotations[2].image_id), "\"b.jpg\"");
  EXPECT_EQ(unlisted_id(coco, 12), "12");
  const std::string written = write_coco(coco);
  EXPECT_NE(written.find(R"("category_id":"cat")"), std::string::npos) << written;
  EXPECT_NE(written.find(R"("image_id":"b.jpg","category_id":"cow")"), std::string::npos) << written;
  EXPECT_NE(written.find(R"({"id":"dog","name":"dog"})"), std::string::npos) << written;
  EXPECT_EQ(write_coco(parse_coco(written, "b.json")), written);
}

TEST(CocoText, FaultsOfHandsAreNamedWithTheirPlace) {
  const auto refusal = [](const std::string& text) {
    try {
      parse_coco(text, "a.json");
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  const std::string lists = R"("annotations": [], "categories": [])";
  EXPECT_EQ(refusal("{\"images\": [\n{\"id\": 1, \"file_name\": \"a.jpg\"},\n], " + lists + "}"),
            "a.json: byte 44 (line 2): got a comma before ]; remove it");
  EXPECT_EQ(refusal("{\"images\": [],\n  // none\n" + lists + "}"),
            "a.json: byte 17 (line 2): got a comment, which JSON does not have; remove it");
  EXPECT_EQ(refusal("\xef\xbb\xbf{\"images\": [{'id': 1}], " + lists + "}"),
            "a.json: byte 16 (line 1): got 'id' as a key, expected one in double quotes");
}

}  // namespace
}  // namespace ssd
