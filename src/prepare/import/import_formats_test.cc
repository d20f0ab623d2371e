// Images of every format on their way through an import.
#include <gtest/gtest.h>

#include <set>

#include "prepare/import/import_test.h"
#include "testing/format_samples.h"

namespace ssd {
namespace {

namespace fs = std::filesystem;

class ImportedFormats : public YoloImportTest {};

TEST_F(ImportedFormats, TakesPngAsItTakesJpeg) {
  write_two();
  write_png("src/images/train/c.png", 40, 30, 8);  // to be looked at as 30 x 40
  write("src/labels/train/c.txt", "0 0.5 0.5 1 1\n");
  write("src/data.yaml", "path: .\ntrain: images/train\nval: images/val\nnc: 2\nnames: [cat, dog]\n");
  const ImportReport report = import();
  EXPECT_TRUE(report.notes.empty()) << report.to_text();
  EXPECT_EQ(names("train2017"), (std::set<std::string>{"a.jpg", "c.png"}));
  EXPECT_EQ(coco("train2017").images.at(1).width, 30);
}

TEST_F(ImportedFormats, TakesEveryFormatOfTheTable) {
  write_two();
  std::set<std::string> expected = {"a.jpg"};
  for (const fs::path& file : one_image_of_each_format()) {
    fs::copy(file, root_ / "src/images/train");
    write("src/labels/train/" + file.stem().string() + ".txt", "0 0.5 0.5 1 1\n");
    expected.insert(file.filename().string());
  }
  // Its orientation is told by its EXIF chunk: 4 x 3 pixels are stored.
  fs::copy(fs::path(SSD_SOURCE_DIR) / "src/image/testdata/webp/orientation-6.webp", root_ / "src/images/val");
  write("src/labels/val/orientation-6.txt", "0 0.5 0.5 1 1\n");
  write("src/data.yaml", "path: .\ntrain: images/train\nval: images/val\nnc: 2\nnames: [cat, dog]\n");
  const ImportReport report = import();
  EXPECT_TRUE(report.notes.empty()) << report.to_text();
  EXPECT_EQ(names("train2017"), expected);
  EXPECT_EQ(names("val2017"), (std::set<std::string>{"b.jpg", "orientation-6.webp"}));
  EXPECT_EQ(coco("val2017").images.at(1).width, 3);
}

class ImportedCoco : public ImportTest {
 protected:
  // LVIS as it is published: no file names, and validation images that are among COCO's for training.
  void write_lvis() const {
    write_jpeg("src/train2017/1.jpg", 40, 30), write_jpeg("src/train2017/2.jpg", 40, 30);
    write_jpeg("src/val2017/3.jpg", 40, 30);
    const auto annotations = [](const std::string& images, int image) {
      return fmt::format(
          R"({{"images": [{}], "annotations": [{{"id": 9, "image_id": {}, "category_id": 5, "area": 7,
          "bbox": [1, 2, 3, 4]}}], "categories": [{{"id": 2, "name": "cat"}}, {{"id": 5, "name": "dog"}}]}})",
          images, image);
    };
    const auto image = [](const char* name, int id) {
      return fmt::format(R"({{"id": {}, "coco_url": "http://images.cocodataset.org/{}", "width": 40,
          "height": 30, "neg_category_ids": [2]}})",
                         id, name);
    };
    write("src/lvis_v1_train.json", annotations(image("train2017/1.jpg", 1), 1));
    write("src/lvis_v1_val.json",
          annotations(image("train2017/2.jpg", 2) + "," + image("val2017/3.jpg", 3), 2));
  }
};

TEST_F(ImportedCoco, LvisBecomesACocoFolder) {
  write_lvis();
  const ImportReport report = import_any(root_ / "src", root_ / "dst");
  EXPECT_TRUE(report.notes.empty()) << report.to_text();
  EXPECT_EQ(names("train2017"), std::set<std::string>{"1.jpg"});
  EXPECT_EQ(names("val2017"), (std::set<std::string>{"2.jpg", "3.jpg"}));
  const CocoFile val = coco("val2017");
  ASSERT_EQ(val.annotations.size(), 1u);
  EXPECT_EQ(val.annotations[0].category_id, 5);  // ids stay
  EXPECT_EQ(val.annotations[0].area, 7);
  EXPECT_EQ(report.classes.at(1).boxes, 2u);
}

TEST_F(ImportedCoco, OneFileIsSharedOutAndWhatIsMissingIsNoted) {
  write_lvis();
  fs::remove(root_ / "src/lvis_v1_train.json");
  fs::rename(root_ / "src/lvis_v1_val.json", root_ / "src/labels.json");
  fs::remove(root_ / "src/val2017/3.jpg");
  const ImportReport report = import_coco(root_ / "src", root_ / "dst", {.val_share = 0});
  EXPECT_EQ(names("train2017"), std::set<std::string>{"2.jpg"});
  EXPECT_TRUE(contains(report.notes.at(ForeignNote::annotation_without_image).at(0), "val2017/3.jpg"));
  EXPECT_TRUE(contains(message_of([&] { import_coco(root_ / "src/train2017", root_ / "dst2"); }),
                       "got no COCO annotations"));
}

}  // namespace
}  // namespace ssd
