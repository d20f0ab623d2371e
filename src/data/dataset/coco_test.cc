#include "data/dataset/coco.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>

#include "base/error.h"
#include "base/random.h"
#include "data/dataset/coco_classes.h"
#include "testing/message_of.h"

namespace ssd {
namespace {

constexpr CocoReadOptions strict{.faults = CocoReadOptions::Faults::refuse};
constexpr CocoReadOptions ids{.fields = CocoReadOptions::Fields::ids,
                              .faults = CocoReadOptions::Faults::refuse};

std::string refusal(std::string_view json, const CocoReadOptions& options = strict) {
  return message_of([&] { parse_coco(json, "a.json", options); });
}

constexpr std::string_view small = R"({
  "info": {"year": 2017, "list": [1, [2, {}]]},
  "annotations": [
    {"id": 7, "image_id": 3.0, "category_id": 90, "bbox": [1, 2.5, 30, 40.25], "area": 17.5, "iscrowd": 1,
     "segmentation": {"counts": [1, 2, 3], "size": [4, 5]}},
    {"segmentation": [[1.0, 2.0]], "bbox": [0, 0, 4, 5], "category_id": 1, "image_id": 3, "id": 8}
  ],
  "images": [{"file_name": "folder/\u00e9t\u00e9.jpg", "height": 480, "width": 640, "id": 3, "license": null}],
  "categories": [{"supercategory": "indoor", "id": 90, "name": "tooth\"brush"}, {"id": 1, "name": "person"}]
})";

TEST(Coco, ReadsAllThreeListsInAnyOrder) {
  const CocoFile coco = parse_coco(small, "a.json");
  ASSERT_EQ(coco.images.size(), 1u);
  EXPECT_EQ(coco.images[0].id, 3);
  EXPECT_EQ(coco.images[0].file_name, "folder/été.jpg");
  EXPECT_EQ(coco.images[0].width, 640);
  EXPECT_EQ(coco.images[0].height, 480);
  ASSERT_EQ(coco.annotations.size(), 2u);
  EXPECT_EQ(coco.annotations[0].id, 7);
  EXPECT_EQ(coco.annotations[0].image_id, 3);
  EXPECT_EQ(coco.annotations[0].category_id, 90);
  EXPECT_EQ(coco.annotations[0].bbox, (std::array{1.0, 2.5, 30.0, 40.25}));
  EXPECT_EQ(coco.annotations[0].area, 17.5);
  EXPECT_TRUE(coco.annotations[0].iscrowd);
  EXPECT_EQ(coco.annotations[1].area, 20.0);
  EXPECT_FALSE(coco.annotations[1].iscrowd);
  ASSERT_EQ(coco.categories.size(), 2u);
  EXPECT_EQ(coco.categories[0].name, "tooth\"brush");
  EXPECT_EQ(coco.categories[1].id, 1);
}

TEST(Coco, NumbersOfAnyLengthAreRight) {
  Random random(5, 0, 0);
  for (int i = 0; i < 300; ++i) {
    const double value =
        i % 2 == 0 ? random.uniform() : static_cast<double>(static_cast<float>(random.uniform()));
    for (const int digits : {19, 20, 21, 25, 40, 60}) {
      const std::string text = fmt::format("{:.{}f}", value, digits);
      const double expected = std::strtod(text.c_str(), nullptr);
      const CocoFile coco = parse_coco(
          fmt::format(R"({{"annotations": [{{"id": 7.{1:0<{2}}, "image_id": 1, "category_id": 2, "area": {0},
                           "bbox": [{0}, {0}, {0}, {0}]}}], "images": [], "categories": []}})",
                      text, "", digits),
          "a.json");
      const CocoAnnotation& annotation = coco.annotations.at(0);
      EXPECT_EQ(annotation.id, 7);
      EXPECT_EQ(annotation.area, expected) << text;
      EXPECT_EQ(annotation.bbox, (std::array{expected, expected, expected, expected})) << text;
    }
  }
}

TEST(Coco, RefusesFlagsThatAreNeitherYesNorNo) {
  EXPECT_EQ(refusal(R"({"annotations": [{"id": 1, "iscrowd": 0.5}]})"),
            "a.json: byte 17 (line 1): annotation 0: iscrowd: got 0.5, expected 0 or 1");
}

TEST(Coco, AnEvaluationNeedsIdsAlone) {
  constexpr std::string_view bare =
      R"({"images": [{"id": 3}, {"id": 4, "width": null, "height": 0, "file_name": 5}],
      "annotations": [], "categories": [{"id": 7}, {"name": null, "id": 8}, {"id": 9, "name": ""}]})";
  const CocoFile coco = parse_coco(bare, "a.json", ids);
  ASSERT_EQ(coco.images.size(), 2u);
  EXPECT_EQ(coco.images[1].id, 4);
  ASSERT_EQ(coco.categories.size(), 3u);
  EXPECT_EQ(coco.categories[0].name, "7");
  EXPECT_EQ(coco.categories[1].name, "8");
  EXPECT_EQ(coco.categories[2].name, "");
  EXPECT_EQ(refusal(bare), "a.json: byte 12 (line 1): image 0 has no \"file_name\"");
  for (const std::string_view text : {R"({"images": [{}]})", R"({"categories": [{"name": "bat"}]})"})
    EXPECT_THROW(parse_coco(text, "a.json", ids), Error) << text;
}

TEST(Coco, WritesWhatItReadsBack) {
  const CocoFile once = parse_coco(small, "a.json");
  const std::string text = write_coco(once);
  const CocoFile twice = parse_coco(text, "b.json");
  EXPECT_EQ(write_coco(twice), text);
  EXPECT_EQ(twice.images[0].file_name, once.images[0].file_name);
  EXPECT_EQ(twice.categories[0].name, once.categories[0].name);
  EXPECT_EQ(twice.annotations[0].bbox, once.annotations[0].bbox);
  EXPECT_EQ(twice.annotations[0].iscrowd, true);
}

TEST(Coco, NamesFilePositionAndFieldOfWhatIsWrong) {
  EXPECT_EQ(
      refusal("{\"images\": [],\n \"annotations\": [{\"id\": 1, \"image_id\": 2, \"category_id\": 3}]}"),
      "a.json: byte 32 (line 2): annotation 0 has no \"bbox\"");
  EXPECT_EQ(refusal(R"({"images": [{"id": 1.5}]})"),
            "a.json: byte 12 (line 1): image 0: id: got 1.5, expected a whole number");
  EXPECT_EQ(refusal(R"({"images": [{"id": 1, "width": -1}]})"),
            "a.json: byte 12 (line 1): image 0: width: got -1 pixels, expected 1 or more");
  EXPECT_EQ(
      refusal(R"({"annotations": [{"id": 1, "bbox": [1, 2, 3]}]})"),
      "a.json: byte 17 (line 1): annotation 0: bbox: got 3 numbers, expected 4 (left, top, width, height)");
  EXPECT_EQ(refusal(R"({"images": [], "annotations": []})"),
            "a.json: the list \"categories\" is missing; give a COCO instances file (images, annotations, "
            "categories)");
  const std::string mistyped = refusal(R"({"categories": [{"id": 1, "name": "a"}, {"id": null}]})");
  EXPECT_NE(mistyped.find("byte"), std::string::npos) << mistyped;
  EXPECT_NE(mistyped.find("category 1: id"), std::string::npos) << mistyped;
}

TEST(Coco, SaysWhatStandsWhereAnotherKindIsExpected) {
  EXPECT_EQ(refusal(R"({"images": [{"width": "x\ny"}]})"),
            "a.json: byte 22 (line 1): image 0: width: got \"x\\ny\", expected a whole number");
  EXPECT_EQ(refusal(R"({"images": [], "annotations": [{"id": 1, "bbox": [1, 2, null, 4]}]})"),
            "a.json: byte 56 (line 1): annotation 0: bbox: got null, expected a number");
  EXPECT_EQ(refusal(R"({"categories": [{"name": "a", "id": null}]})"),
            "a.json: byte 36 (line 1): category 0: id: got null, expected a whole number");
  EXPECT_EQ(refusal(R"({"images": {"a": 1}})"),
            "a.json: byte 11 (line 1): images: got an object, expected a list");
  EXPECT_EQ(refusal(R"({"images": [[]]})"),
            "a.json: byte 12 (line 1): image 0 got a list, expected an object");
  EXPECT_EQ(
      refusal(" []"),
      "a.json: byte 1 (line 1): got a list, expected an object with images, annotations and categories");
  EXPECT_TRUE(refusal(R"({"images": [{"id": 01}]})").ends_with("got 01, expected a whole number"));
}

TEST(Coco, OneBrokenEntryCostsThatEntry) {
  const std::string_view text = R"({"images": [
    {"id": 1, "file_name": "a.jpg"}, {"id": 2}, 5, {"id": 3, "file_name": "b.jpg", "width": 4, "height": null}],
    "annotations": [
    {"id": 10, "image_id": 1, "category_id": 1, "bbox": null, "segmentation": [[1, {"x": [2]}]]},
    {"id": 11, "image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4]},
    {"id": 12, "image_id": 1, "category_id": 1, "bbox": []},
    {"id": 13, "image_id": 1, "category_id": 1, "bbox": [1, [2, 3], 4, 5], "area": 3}, [[], {}], "x", null,
    {"id": 14, "image_id": 1, "category_id": 1, "bbox": [1, 2, NaN, 4]},
    {"id": 15, "image_id": {"a": [1, {}]}, "category_id": 1, "bbox": [1, 2, 3, 4]},
    {"id": 16, "image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 1e999]},
    {"id": "a1-b2", "image_id": 1, "category_id": 1},
    {"id": "17", "image_id": "3", "category_id": 1.0, "bbox": ["1", "2.5", 3, 4]}],
    "categories": [{"id": 1, "name": "a"}]})";
  const CocoFile coco = parse_coco(text, "a.json");
  ASSERT_EQ(coco.images.size(), 2u);
  EXPECT_EQ(coco.images[0].width, 0);  // not said
  EXPECT_EQ(coco.images[1].id, 3);
  EXPECT_EQ(coco.images[1].height, 0);
  ASSERT_EQ(coco.annotations.size(), 2u);
  EXPECT_EQ(coco.annotations[0].id, 11);
  EXPECT_EQ(coco.annotations[1].id, 17);
  EXPECT_EQ(coco.annotations[1].image_id, 3);
  EXPECT_EQ(coco.annotations[1].bbox, (std::array{1.0, 2.5, 3.0, 4.0}));
  ASSERT_EQ(coco.left_out.size(), 12u);
  EXPECT_TRUE(coco.left_out[11].reason.ends_with("has no \"bbox\" (its id is \"a1-b2\")"))
      << coco.left_out[11].reason;
  EXPECT_EQ(coco.left_out[0].what, CocoLeftOut::What::image);
  EXPECT_EQ(coco.left_out[0].reason, "byte 50 (line 2): image 1 has no \"file_name\" (its id is 2)");
  EXPECT_EQ(coco.left_out[2].what, CocoLeftOut::What::annotation);
  EXPECT_TRUE(
      coco.left_out[2].reason.ends_with("annotation 0: bbox: got null, expected a list (its id is 10)"))
      << coco.left_out[2].reason;
  EXPECT_NE(refusal(text), "");
}

TEST(Coco, ABrokenTextIsNeverPassedOver) {
  const std::string whole(small);
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_NE(refusal(whole.substr(0, size), {}), "") << size << " of " << whole.size();
}

TEST(Coco, OneBrokenCategoryCostsThatCategory) {
  const CocoFile coco = parse_coco(R"({"images": [], "annotations": [], "categories": [
    {"id": 4}, {"name": "cat"}, {"id": 5, "name": null}, {"id": 6, "name": ""}, 7, {"id": {}, "name": "dog"},
    {"id": 8, "name": "cow"}]})",
                                   "a.json");
  ASSERT_EQ(coco.categories.size(), 4u);
  EXPECT_EQ(coco.categories[0].name, "4");
  EXPECT_EQ(coco.categories[1].name, "5");
  EXPECT_EQ(coco.categories[2].name, "6");
  EXPECT_EQ(coco.categories[3].name, "cow");
  ASSERT_EQ(coco.left_out.size(), 3u);
  EXPECT_EQ(coco.left_out[0].what, CocoLeftOut::What::category);
  EXPECT_TRUE(coco.left_out[0].reason.ends_with("category 1 has no \"id\"")) << coco.left_out[0].reason;
  ASSERT_EQ(coco.mended.size(), 3u);
  EXPECT_EQ(coco.mended[0].what, CocoMended::What::category_named);
  EXPECT_TRUE(coco.mended[0].text.ends_with("category 0 has no name: it is called \"4\""))
      << coco.mended[0].text;
}

TEST(Coco, IdsOfImagesAndAnnotationsMayBeAnyTexts) {
  const std::string_view text =
      R"({"images": [{"id": "b1c-\"7", "file_name": "a.jpg"}, {"id": "12", "file_name": "b.jpg"},
      {"id": "c.jpg", "file_name": "c.jpg"}, {"id": 13, "file_name": "d.jpg"}],
    "annotations": [{"id": "u1", "image_id": "b1c-\"7", "category_id": 1, "bbox": [1, 2, 3, 4]},
      {"id": "u2", "image_id": 12, "category_id": "1", "bbox": [1, 2, 3, 4]},
      {"id": "u3", "image_id": "13.0", "category_id": 1, "bbox": [1, 2, 3, 4]}],
    "categories": [{"id": 1, "name": "cat"}]})";
  const CocoFile coco = parse_coco(text, "a.json", strict);
  ASSERT_EQ(coco.images.size(), 4u);
  EXPECT_EQ(coco.images[0].id_text, "b1c-\"7");
  EXPECT_TRUE(has_text_id(coco.images[0]));
  EXPECT_FALSE(has_text_id(coco.images[1]));
  EXPECT_FALSE(has_text_id(coco.images[3]));
  EXPECT_NE(coco.images[0].id, coco.images[2].id);
  EXPECT_EQ(coco.annotations[0].image_id, coco.images[0].id);
  EXPECT_EQ(coco.annotations[1].image_id, coco.images[1].id);
  EXPECT_EQ(coco.annotations[2].image_id, coco.images[3].id);
  EXPECT_NE(coco.annotations[0].id, coco.annotations[1].id);
  const std::string written = write_coco(coco);
  EXPECT_NE(written.find(R"({"id":"b1c-\"7","file_name":"a.jpg")"), std::string::npos) << written;
  EXPECT_NE(written.find(R"("image_id":"b1c-\"7","category_id":1)"), std::string::npos) << written;
  EXPECT_NE(written.find(R"("id":"12","file_name":"b.jpg")"), std::string::npos) << written;
  EXPECT_EQ(write_coco(parse_coco(written, "b.json")), written);
}

TEST(Coco, ABoxIsThatOfTheSegmentationWhereThereIsNone) {
  const CocoFile coco = parse_coco(R"({"images": [], "categories": [], "annotations": [
    {"id": 1, "image_id": 1, "category_id": 1, "segmentation": [[10, 20, 40, 20, 40, 50]], "area": 7},
    {"id": 2, "image_id": 1, "category_id": 1, "bbox": [], "segmentation": {"size": [7, 5], "counts": "92?OI"}},
    {"id": 3, "bbox": null, "image_id": 1, "category_id": 1, "segmentation": [[1, 2, 4, 2, 4, 9]]},
    {"id": 4, "bbox": [1, 2, 3, 4], "image_id": 1, "category_id": 1, "segmentation": [[0, 0, 9, 0, 9, 9]]},
    {"id": 5, "bbox": [1, 2, 3], "image_id": 1, "category_id": 1, "segmentation": [[0, 0, 9, 0, 9, 9]]},
    {"id": 6, "image_id": 1, "category_id": 1, "segmentation": []},
    {"id": 7, "image_id": 1, "segmentation": [[0, 0, 9, 0, 9, 9]]}]})",
                                   "a.json");
  ASSERT_EQ(coco.annotations.size(), 4u);
  EXPECT_EQ(coco.annotations[0].bbox, (std::array{10.0, 20.0, 30.0, 30.0}));
  EXPECT_EQ(coco.annotations[0].area, 7);
  EXPECT_EQ(coco.annotations[1].bbox, (std::array{1.0, 2.0, 3.0, 4.0}));
  EXPECT_EQ(coco.annotations[1].area, 12);
  EXPECT_EQ(coco.annotations[2].bbox, (std::array{1.0, 2.0, 3.0, 7.0}));
  EXPECT_EQ(coco.annotations[3].bbox, (std::array{1.0, 2.0, 3.0, 4.0}));
  ASSERT_EQ(coco.mended.size(), 3u);  // nothing of those left out
  EXPECT_TRUE(coco.mended[0].text.ends_with(
      "annotation 0 has no bbox: [10, 20, 30, 30] of its segmentation is taken"))
      << coco.mended[0].text;
  EXPECT_EQ(coco.left_out.size(), 3u);
}

TEST(Coco, SizesThatMakeNoSenseAreNotSaid) {
  const CocoFile coco = parse_coco(R"({"images": [{"id": 1, "file_name": "a", "width": -4, "height": "tall"},
    {"id": 2, "file_name": "b", "width": NaN, "height": 30.5}], "annotations": [], "categories": []})",
                                   "a.json");
  ASSERT_EQ(coco.images.size(), 2u);
  for (const CocoImage& image : coco.images) EXPECT_EQ(image.width + image.height, 0);
}

// pycocotools lets an object whose area is NaN count whatever the area asked for.
TEST(Coco, AnAreaMayBeWhatPythonWrites) {
  const CocoFile coco = parse_coco(R"({"images": [], "categories": [], "annotations": [
    {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4], "area": NaN, "iscrowd": false},
    {"id": 2, "image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4], "area": -Infinity, "iscrowd": 1.0}]})",
                                   "a.json");
  ASSERT_EQ(coco.annotations.size(), 2u);
  EXPECT_TRUE(std::isnan(coco.annotations[0].area));
  EXPECT_TRUE(coco.annotations[1].iscrowd);
  EXPECT_EQ(write_coco(parse_coco(write_coco(coco), "b.json")), write_coco(coco));
}

TEST(Coco, ARootThatOnlyNamesTheOthersIsNoClass) {
  const auto classes = [](std::string_view annotations, std::string_view root) {
    return parse_coco(fmt::format(R"({{"images": [], "annotations": [{}], "categories": [
        {{"id": 0, "name": "{}", "supercategory": "none"}}, {{"id": 1, "name": "RBC", "supercategory": "cells"}},
        {{"id": 2, "name": "WBC", "supercategory": "cells"}}]}})",
                                  annotations, root),
                      "a.json")
        .categories.size();
  };
  EXPECT_EQ(classes("", "cells"), 2u);
  EXPECT_EQ(classes("", "other"), 3u);
  EXPECT_EQ(classes(R"({"id": 1, "image_id": 1, "category_id": 0, "bbox": [1, 2, 3, 4]})", "cells"), 3u);
}

TEST(Coco, AnAddressStandsForAMissingFileName) {
  const CocoFile coco = parse_coco(R"({"images": [
    {"id": 1, "coco_url": "http://images.cocodataset.org/train2017/1.jpg", "not_exhaustive_category_ids": [3],
     "neg_category_ids": [1, 2]},
    {"coco_url": "http://x/y/2.jpg", "id": 2, "file_name": "a.jpg"},
    {"id": 3, "file_name": "b.jpg", "coco_url": "http://x/y/3.jpg"}],
    "annotations": [], "categories": [{"id": 1, "name": 7}, {"id": 2, "name": "8"}]})",
                                   "a.json");
  ASSERT_EQ(coco.images.size(), 3u);
  EXPECT_EQ(coco.images[0].file_name, "train2017/1.jpg");
  EXPECT_EQ(coco.images[1].file_name, "a.jpg");
  EXPECT_EQ(coco.images[2].file_name, "b.jpg");
  EXPECT_EQ(coco.categories[0].name, "7");  // a number is a name as well
}

TEST(Coco, TakesAByteOrderMarkAndCountsIt) {
  EXPECT_EQ(parse_coco("\xef\xbb\xbf" + std::string(small), "a.json").images.size(), 1u);
  EXPECT_EQ(refusal("\xef\xbb\xbf{\"images\": [{\"id\": 1.5}]}"),
            "a.json: byte 15 (line 1): image 0: id: got 1.5, expected a whole number");
}

TEST(Coco, NamesWhatIsNoTextAtAll) {
  EXPECT_EQ(refusal("\x1f\x8b\x08"), "a.json: this is gzip data, expected JSON; unpack it (gunzip)");
  for (const std::string_view text : {"\xff\xfe{", "\xfe\xff"})
    EXPECT_TRUE(refusal(text).starts_with("a.json: this is UTF-16, expected UTF-8"));
  try {
    read_coco(testing::TempDir());
    FAIL() << "a folder was read";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("got a folder, expected a file"), std::string::npos)
        << error.what();
  }
}

TEST(Coco, RefusesWhatIsNotJson) {
  for (const std::string_view text :
       {"", "[]", "42", "{", "{\"images\": [", "{\"images\": [}", "{\"images\" []}",
        "{\"images\": [{\"id\": 1", "\xff\xfe", "{\"images\": [{\"id\": NaN}]}"})
    EXPECT_TRUE(refusal(text).starts_with("a.json: ")) << text << " gave " << refusal(text);
  const std::string whole(small);
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_NE(refusal(whole.substr(0, size)), "") << size << " bytes of " << whole.size();
  EXPECT_NE(refusal(whole + "x"), "");
  EXPECT_THROW(read_coco("no/such/file.json"), Error);
}

TEST(Coco, SaysWhereTheTextItselfIsBroken) {
  EXPECT_TRUE(refusal("{\"images\": [],\n \"x\": \"caf\xe9\"}").starts_with("a.json: byte 25 (line 2): "))
      << refusal("{\"images\": [],\n \"x\": \"caf\xe9\"}");
  EXPECT_TRUE(refusal("{\"images\": [], \"x").starts_with("a.json: byte 17 (line 1, the end): "));
  EXPECT_TRUE(refusal("{\"a\": \"b\nc\"}").starts_with("a.json: byte 8 (line 1): "));
  const std::string whole(small);
  for (std::size_t size = 0; size + 1 < whole.size(); ++size) {
    const std::string message = refusal(whole.substr(0, size));
    EXPECT_NE(message.find(": byte "), std::string::npos) << message;
    if (size > 0 && whole[size - 1] == '}') continue;  // that could be the end
    EXPECT_TRUE(message.starts_with(fmt::format("a.json: byte {} (line ", size))) << message;
    EXPECT_NE(message.find(", the end): "), std::string::npos) << message;
  }
}

TEST(Coco, WritesNamesThatAreNoUtf8AsLatin1) {
  CocoFile coco;
  coco.categories = {{.id = 1, .name = "caf\xe9"}};
  EXPECT_EQ(parse_coco(write_coco(coco), "a.json").categories.at(0).name, "caf\u00e9");
}

TEST(Coco, ReadsTheRealSubset) {
  const std::filesystem::path folder = SSD_SOURCE_DIR "/../shared/data/coco-subset/annotations";
  if (!std::filesystem::exists(folder))
    GTEST_SKIP() << "shared/data/coco-subset is not beside the source tree";
  const CocoFile train = read_coco(folder / "instances_train2017.json");
  const CocoFile val = read_coco(folder / "instances_val2017.json");
  // Counted with Python's json module.
  EXPECT_EQ(train.images.size(), 240u);
  EXPECT_EQ(train.annotations.size(), 1913u);
  EXPECT_EQ(val.images.size(), 100u);
  EXPECT_EQ(val.annotations.size(), 892u);
  EXPECT_EQ(train.categories.size(), 80u);
  EXPECT_EQ(train.categories[79].id, 90);
  EXPECT_EQ(train.categories[79].name, "toothbrush");
  std::vector<std::string> names;
  for (const CocoCategory& category : train.categories) names.push_back(category.name);
  const std::vector<CocoCategory> by_name = categories_of(names);
  for (std::size_t i = 0; i < names.size(); ++i) EXPECT_EQ(by_name[i].id, train.categories[i].id) << names[i];
  double area = 0;
  std::size_t crowds = 0;
  for (const CocoAnnotation& annotation : train.annotations) {
    area += annotation.area;
    crowds += annotation.iscrowd;
  }
  EXPECT_EQ(crowds, 21u);
  EXPECT_NEAR(area, 21416276.788899988, 1e-3);
}

}  // namespace
}  // namespace ssd
