// What the tests of imports share: a source in "src", what is made of it in "dst".
#pragma once

#include <filesystem>
#include <set>
#include <string>

#include "data/dataset/coco.h"
#include "prepare/import/import.h"
#include "testing/import_folder.h"

namespace ssd {

class ImportTest : public FolderTest {
 protected:
  CocoFile coco(const std::string& split) const {
    return read_coco(root_ / "dst" / "annotations" / ("instances_" + split + ".json"));
  }
  // Of the images of a split, all of which are there.
  std::set<std::string> names(const std::string& split) const {
    std::set<std::string> found;
    for (const CocoImage& image : coco(split).images) {
      found.insert(image.file_name);
      EXPECT_TRUE(std::filesystem::exists(root_ / "dst" / split / image.file_name)) << image.file_name;
    }
    return found;
  }
};

class YoloImportTest : public ImportTest {
 protected:
  ImportReport import(const ForeignOptions& options = {}) const {
    return import_yolo(root_ / "src", root_ / "dst", options);
  }
  // a (train) with one box and b (val) with two, without a data file.
  void write_two() const {
    write_jpeg("src/images/train/a.jpg", 40, 30);
    write_jpeg("src/images/val/b.jpg", 40, 30);
    write("src/labels/train/a.txt", "1 0.5 0.5 0.25 0.2\n");
    write("src/labels/val/b.txt", "0 0.1 0.2 0.1 0.2\n\n0 0.5 0.5 1 1");
  }
};

}  // namespace ssd
