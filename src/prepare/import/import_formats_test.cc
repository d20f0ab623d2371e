// Images of every format on their way through an import.
#include <gtest/gtest.h>

#include <set>

#include "data/dataset/coco.h"
#include "prepare/import/import.h"
#include "testing/format_samples.h"
#include "testing/import_folder.h"

namespace ssd {
namespace {

namespace fs = std::filesystem;

class ImportedFormats : public FolderTest {
 protected:
  ImportReport import() const { return import_yolo(root_ / "src", root_ / "dst"); }
  CocoFile coco(const std::string& split) const {
    return read_coco(root_ / "dst" / "annotations" / ("instances_" + split + ".json"));
  }
  std::set<std::string> names(const std::string& split) const {
    std::set<std::string> found;
    for (const CocoImage& image : coco(split).images) {
      found.insert(image.file_name);
      EXPECT_TRUE(fs::exists(root_ / "dst" / split / image.file_name)) << image.file_name;
    }
    return found;
  }
  // a (train) and b (val) with a box each.
  void write_two() const {
    write_jpeg("src/images/train/a.jpg", 40, 30);
    write_jpeg("src/images/val/b.jpg", 40, 30);
    write("src/labels/train/a.txt", "1 0.5 0.5 0.25 0.2\n");
    write("src/labels/val/b.txt", "0 0.1 0.2 0.1 0.2\n");
  }
};

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

}  // namespace
}  // namespace ssd
