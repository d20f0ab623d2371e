#include "data/layouts/data_folder.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "testing/import_folder.h"

namespace ssd {
namespace {

namespace fs = std::filesystem;

class DataFolderTest : public FolderTest {
 protected:
  void add_yolo() const {
    for (const char* split : {"train", "val"}) {
      write_jpeg(std::string("images/") + split + "/a.jpg", 40, 30);
      write(std::string("labels/") + split + "/a.txt", "0 0.5 0.5 0.25 0.2\n");
    }
  }
  void add_voc() const {
    write_jpeg("JPEGImages/a.jpg", 40, 30);
    write("Annotations/a.xml",
          "<annotation><object><name>cat</name><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>11</xmax>"
          "<ymax>22</ymax></bndbox></object></annotation>");
  }
};

TEST_F(DataFolderTest, YoloIsReadInMemory) {
  add_yolo();
  write("data.yaml", "train: images/train\nval: images/val\nnames: [cat]\n");
  write("notes.csv", "a,b\n");
  DataFolder folder(root_);
  ASSERT_EQ(folder.kind(), DataKind::yolo);
  const DataSplit train = folder.read(DataPart::train), val = folder.read(DataPart::val);
  ASSERT_EQ(train.split.coco.annotations.size(), 1u);
  const std::array<double, 4> expected{15, 12, 10, 6};  // of 40 x 30: centre 20, 15, size 10 x 6
  for (std::size_t i = 0; i < 4; ++i)
    EXPECT_NEAR(val.split.coco.annotations.at(0).bbox[i], expected[i], 1e-9);
  EXPECT_TRUE(fs::exists(val.images / val.split.coco.images.at(0).file_name));
  EXPECT_EQ(folder.unused(), "1 .csv file (notes.csv)");
  EXPECT_EQ(DataFolder(root_ / "data.yaml").read(DataPart::val).split.coco.images.size(), 1u);
}

// Label Studio's export: its notes.json holds the categories alone.
TEST_F(DataFolderTest, NotesBesideYoloLabelsAreUnused) {
  write_jpeg("images/a.jpg", 40, 30);
  write("labels/a.TXT", "0 0.5 0.5 0.25 0.2\n");
  write("classes.txt", "cat\n");
  write("notes.json", R"({"categories": [{"id": 0, "name": "cat"}], "info": {}})");
  DataFolder folder(root_);
  ASSERT_EQ(folder.kind(), DataKind::yolo);
  EXPECT_EQ(folder.read(DataPart::train).split.coco.images.size(), 1u);
  EXPECT_EQ(folder.unused(), "1 .json file (notes.json)");
}

TEST_F(DataFolderTest, LabelsAndXmlAreToldByWhatTheyHold) {
  EXPECT_EQ(DataFolder(root_).kind(), DataKind::none);
  write("readme.txt", "10 images of cats\n");
  write("project.xml", "<project><annotation-tool/></project>");
  EXPECT_EQ(DataFolder(root_).kind(), DataKind::none);
  EXPECT_EQ(DataFolder(root_).seen(), "seen: 1 .txt file (readme.txt), 1 .xml file (project.xml)");
  write("annotations.xml", "<annotations><image name='a.jpg'/></annotations>");
  EXPECT_EQ(DataFolder(root_).kind(), DataKind::cvat);
  add_voc();
  EXPECT_EQ(DataFolder(root_).kind(), DataKind::voc);
  add_yolo();
  write("classes.txt", "cat\n");
  EXPECT_EQ(DataFolder(root_).kind(), DataKind::yolo);  // two files against one
}

TEST_F(DataFolderTest, LabelsWithoutNamesSayWhatIsMissing) {
  add_yolo();
  DataFolder folder(root_);
  ASSERT_EQ(folder.kind(), DataKind::yolo);
  EXPECT_TRUE(
      contains(message_of([&] { folder.read(DataPart::train); }), "neither data.yaml nor classes.txt"));
}

TEST_F(DataFolderTest, CocoGoesBeforeVoc) {
  add_voc();
  write("annotations/instances_train.json",
        R"({"images": [{"id": 1, "file_name": "a.jpg", "width": 40, "height": 30}], "annotations":
 [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4]}], "categories": [{"id": 1, "name": "cat"}]})");
  write_jpeg("JPEGImages/b.jpg", 40, 30);
  DataFolder folder(root_);
  ASSERT_EQ(folder.kind(), DataKind::coco);
  EXPECT_FALSE(folder.has(DataPart::val));
  EXPECT_EQ(folder.unused(), "");
  EXPECT_EQ(folder.read(DataPart::train).split.coco.annotations.size(), 1u);
  EXPECT_EQ(folder.unused(), "1 .xml file (Annotations/a.xml), 1 image of no annotation (JPEGImages/b.jpg)");
}

// Folders after public reports. Their READMEs' numbers: images and boxes of training, of validation.
class DataFolderCases : public testing::Test {
 protected:
  void SetUp() override {
    if (!fs::exists(cases_)) GTEST_SKIP() << cases_ << " is not there";
  }
  // "4+0 images, 72+0 boxes, 3 classes".
  std::string counts(const std::string& name) const {
    DataFolder folder(cases_ / name);
    std::array<std::size_t, 2> images{}, boxes{};
    std::size_t classes = 0;
    for (const DataPart part : {DataPart::train, DataPart::val}) {
      if (!folder.has(part)) continue;
      const DataSplit read = folder.read(part);
      EXPECT_TRUE(read.split.located.missing.empty()) << name;
      const auto i = static_cast<std::size_t>(part);
      images[i] = read.split.coco.images.size(), boxes[i] = read.split.coco.annotations.size();
      classes = read.split.coco.categories.size();
    }
    return fmt::format("{}+{} images, {}+{} boxes, {} classes", images[0], images[1], boxes[0], boxes[1],
                       classes);
  }
  const fs::path cases_ = fs::path(SSD_SOURCE_DIR) / "../shared/cases";
};

// Counted in the annotation files with Python's json and by the lines of label files.
TEST_F(DataFolderCases, AreReadAsTheyAre) {
  EXPECT_EQ(counts("roboflow-coco"), "4+2 images, 72+34 boxes, 3 classes");
  EXPECT_EQ(counts("label-studio-coco"), "4+0 images, 72+0 boxes, 3 classes");
  EXPECT_EQ(counts("coco-layouts/a"), "4+0 images, 72+0 boxes, 3 classes");
  EXPECT_EQ(counts("coco-layouts/b"), "4+0 images, 72+0 boxes, 3 classes");
  EXPECT_EQ(counts("coco-layouts/c"), "3+3 images, 55+53 boxes, 3 classes");
  EXPECT_EQ(counts("file-name-prefix/a"), "4+4 images, 72+72 boxes, 3 classes");
  EXPECT_EQ(counts("file-name-prefix/c"), "4+4 images, 72+72 boxes, 3 classes");
  EXPECT_EQ(counts("no-width-height"), "4+4 images, 72+72 boxes, 3 classes");
  EXPECT_EQ(counts("png/coco"), "4+4 images, 72+72 boxes, 3 classes");
  EXPECT_EQ(counts("broken-bbox/e"), "4+4 images, 69+69 boxes, 3 classes");
  EXPECT_EQ(counts("voc-utf16-lists/utf16"), counts("voc-utf16-lists/utf8"));
  EXPECT_EQ(counts("voc-utf16-lists/utf8"), "4+4 images, 73+72 boxes, 3 classes");
}

// Train and val name one folder of four images there: a share of them is for validation.
TEST_F(DataFolderCases, YoloFoldersAreSharedOut) {
  for (const char* name : {"png/yolo", "yolo-tracked/ids-1-2", "yolo-tracked/ids-3-and-up", "encodings/c"}) {
    DataFolder folder(cases_ / name);
    const DataSplit train = folder.read(DataPart::train), val = folder.read(DataPart::val);
    EXPECT_EQ(train.split.coco.images.size(), 3u) << name;
    EXPECT_EQ(train.split.coco.annotations.size() + val.split.coco.annotations.size(), 72u) << name;
    EXPECT_EQ(train.split.coco.categories.at(2).name, "Platelets") << name;
    EXPECT_EQ(folder.unused(), "") << name;
  }
}

TEST_F(DataFolderCases, ClassesInAnotherEncodingAreRefusedByName) {
  DataFolder folder(cases_ / "encodings/e");
  try {
    folder.read(DataPart::train);
    FAIL();
  } catch (const Error& error) {
    EXPECT_TRUE(contains(error.what(), "classes.txt: byte 0 (line 1): this is no UTF-8 text"))
        << error.what();
  }
}

}  // namespace
}  // namespace ssd
