#include "data/layouts/yolo.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "testing/import_folder.h"

namespace ssd {
namespace {

class YoloReaderTest : public FolderTest {
 protected:
  // An image of 40 x 30 and its labels.
  void add(const std::string& name, std::string_view labels) const {
    write_jpeg("images/" + name + ".jpg", 40, 30);
    write("labels/" + name + ".txt", labels);
  }
  void write_classes() const { write("classes.txt", "cat\ndog\n"); }
};

TEST_F(YoloReaderTest, ALabelFileThatIsNoTextIsLeftOutWithItsImage) {
  write_classes();
  add("a", "0 0.5 0.5 1 1\n");
  add("b", "\x89PNG\r\n\x1a\n\xff\xff");
  const ForeignSet set = read_yolo(root_);
  EXPECT_EQ(set.images.size(), 1u);
  EXPECT_TRUE(contains(set.notes.at(ForeignNote::annotation_unreadable).at(0), "b.txt: byte 0 (line 1)"));
}

// Bytes that could be any of several languages' are nobody's class.
TEST_F(YoloReaderTest, ClassesAreDecodedOrRefused) {
  add("a", "0 0.5 0.5 1 1\n");
  write("classes.txt", "b\xeate\ndog\n");
  EXPECT_TRUE(
      contains(message_of([&] { read_yolo(root_); }), "classes.txt: byte 1 (line 1): this is no UTF-8 text"));
  write("classes.txt", std::string_view("\xff\xfe"
                                        "c\0a\0t\0\r\0\n\0d\0o\0g\0",
                                        18));
  EXPECT_EQ(read_yolo(root_).classes, (std::vector<std::string>{"cat", "dog"}));
}

// Lines as trackers write them: a confidence and the number of the track behind the box.
TEST_F(YoloReaderTest, TracksAreToldFromPolygons) {
  write_classes();
  add("a", "1 0.5 0.5 0.25 0.2 0.8 1\n0 0.5 0.5 0.5 0.5 0.9 2\n");
  const ForeignSet tracked = read_yolo(root_);
  EXPECT_EQ(tracked.notes.at(ForeignNote::box_tracked).size(), 2u);
  EXPECT_EQ(tracked.images.at(0).boxes.at(1).bbox, (std::array<double, 4>{10, 7.5, 20, 15}));
  // Triangles at the lower edge, in a set with a quadrangle.
  add("a", "1 0.5 0.5 0.75 0.5 0.5 1\n0 0 0 0.5 0 0.5 0.5 0 0.5\n");
  const ForeignSet polygons = read_yolo(root_);
  EXPECT_EQ(polygons.notes.at(ForeignNote::polygon_boxed).size(), 2u);
  EXPECT_EQ(polygons.images.at(0).boxes.at(0).bbox, (std::array<double, 4>{20, 15, 10, 15}));
}

// Names of files that differ in capitals alone, as between systems.
TEST_F(YoloReaderTest, LabelsAreFoundInOtherCapitals) {
  write_classes();
  write_jpeg("images/IMG_1.JPG", 40, 30);
  write("labels/img_1.txt", "0 0.5 0.5 1 1\n");
  EXPECT_EQ(read_yolo(root_).images.at(0).boxes.size(), 1u);
}

TEST_F(YoloReaderTest, FoldersOfAnotherMachineAreFoundByTheirEnds) {
  add("train/a", "0 0.5 0.5 1 1\n"), add("val/b", "0 0.5 0.5 1 1\n");
  write("data.yaml", "train: /home/me/pets/images/train\nval: C:\\pets\\images\\val\nnames: [cat]\n");
  EXPECT_EQ(read_yolo(root_).splits_from, "data file: train for training, val for validation");
  write("data.yaml", "train: /home/me/pets/images\nval: images/val\nnames: [cat]\n");
  EXPECT_TRUE(
      contains(message_of([&] { read_yolo(root_); }), "data.yaml:1: got /home/me/pets/images, expected"));
  write("data.yaml", "train: /home/me/pets/photos\nval: images/val\nnames: [cat]\n");
  EXPECT_TRUE(
      contains(message_of([&] { read_yolo(root_); }), "data.yaml:1: got /home/me/pets/photos, expected"));
}

TEST_F(YoloReaderTest, ADataFileMayLieInAFolderOfItsOwn) {
  write_jpeg("pets/train/a.jpg", 40, 30), write_jpeg("pets/val/b.jpg", 40, 30);
  write("pets/train/a.txt", "0 0.5 0.5 1 1\n"), write("pets/val/b.txt", "0 0.5 0.5 1 1\n");
  write("pets/data.yaml", "train: train\nval: val\nnames: [cat]\n");
  EXPECT_EQ(read_yolo(root_).images.size(), 2u);
  write("more/data.yaml", "names: [cat]\n");
  EXPECT_TRUE(
      contains(message_of([&] { read_yolo(root_); }), "(more/data.yaml, pets/data.yaml), expected one"));
}

TEST_F(YoloReaderTest, FaultsAreRefusedWhereAskedFor) {
  write_classes();
  add("a", "0 0.5 0.5 1 1\n0 0.5\n");
  EXPECT_EQ(read_yolo(root_).images.at(0).boxes.size(), 1u);
  EXPECT_TRUE(contains(message_of([&] { read_yolo(root_, {.faults = ForeignOptions::Faults::refuse}); }),
                       "--strict stops at 1 box left out"));
}

// As where the data file names no val; partly missing, what is there counts.
TEST_F(YoloReaderTest, AValThatIsNotThereIsNotedAndNoReasonToStop) {
  for (const char* name : {"train/a", "train/b", "train/c", "more/d"}) add(name, "0 0.5 0.5 1 1\n");
  write("data.yaml", "train: images/train\nval: ../valid/images\nnames: [cat]\n");
  const ForeignSet set = read_yolo(root_);
  EXPECT_EQ(set.splits_from, "data file: a share of 10% for validation (seed 0)");
  ASSERT_EQ(set.notes.at(ForeignNote::split_missing).size(), 1u);
  const std::string note = set.notes.at(ForeignNote::split_missing)[0];
  EXPECT_TRUE(
      contains(note, "data.yaml:2: got ../valid/images, expected a folder or a list that is there, for val"))
      << note;
  EXPECT_TRUE(contains(note, (root_ / "valid/images").string())) << note;
  EXPECT_TRUE(contains(note, (root_.parent_path() / "valid/images").string())) << note;
  EXPECT_TRUE(contains(message_of([&] { read_yolo(root_, {.faults = ForeignOptions::Faults::refuse}); }),
                       "--strict stops at 1 folder or list of the data file that is not there"));

  write("data.yaml",
        "train: [images/train, images/none]\nval: [images/more, images/nowhere]\nnames: [cat]\n");
  const ForeignSet some = read_yolo(root_);
  EXPECT_EQ(some.splits_from, "data file: train for training, val for validation");
  EXPECT_EQ(some.notes.at(ForeignNote::split_missing).size(), 2u);
  EXPECT_EQ(some.images.size(), 4u);
}

// A count beside the names says nothing more: the names count.
TEST_F(YoloReaderTest, ACountThatContradictsTheNamesIsNoted) {
  add("a", "0 0.5 0.5 1 1\n2 0.5 0.5 1 1\n");
  write("data.yaml", "train: images\nval: images\nnc: 3\nnames: [cat, dog]\n");
  const ForeignSet set = read_yolo(root_);
  EXPECT_EQ(set.classes, (std::vector<std::string>{"cat", "dog"}));
  ASSERT_EQ(set.notes.at(ForeignNote::classes_miscounted).size(), 1u);
  EXPECT_TRUE(contains(set.notes.at(ForeignNote::classes_miscounted)[0],
                       "data.yaml:3: got nc: 3, expected 2, the number of names"));
  ASSERT_EQ(set.notes.at(ForeignNote::object_unreadable).size(), 1u);
  EXPECT_TRUE(
      contains(set.notes.at(ForeignNote::object_unreadable)[0], "a.txt:2: got class 2, expected 0 to 1"));
  EXPECT_TRUE(contains(message_of([&] { read_yolo(root_, {.faults = ForeignOptions::Faults::refuse}); }),
                       "--strict stops at 1 "));
  for (const char* count : {"nc: 2", "nc: 2.0", "# none"}) {
    write("data.yaml", std::string("train: images\nval: images\nnames: [cat, dog]\n") + count + "\n");
    EXPECT_EQ(read_yolo(root_).notes.contains(ForeignNote::classes_miscounted),
              std::string(count) == "nc: 2.0");
  }
}

TEST_F(YoloReaderTest, ClassNumbersWithoutANameCostTheirLines) {
  add("a", "0 0.5 0.5 1 1\n1 0.5 0.5 1 1\n3 0.5 0.5 1 1\n");
  write("data.yaml", "train: images\nnames:\n  0: cat\n  3: dog\n");
  const ForeignSet set = read_yolo(root_);
  EXPECT_EQ(set.classes, (std::vector<std::string>{"cat", "dog"}));
  ASSERT_EQ(set.images.at(0).boxes.size(), 2u);
  EXPECT_EQ(set.images[0].boxes[1].category, "dog");
  EXPECT_TRUE(contains(set.notes.at(ForeignNote::object_unreadable).at(0),
                       "a.txt:2: got class 1, which has no name"));
  EXPECT_TRUE(contains(set.notes.at(ForeignNote::classes_miscounted).at(0),
                       "data.yaml:3: got no name of class 1, expected one for each of 0 to 3"));
}

// As a polygon of five corners the first would reach from 0 to 1.
TEST_F(YoloReaderTest, KeyPointsBehindBoxesAreNoPolygons) {
  write_classes();
  const std::array<double, 4> box{10, 7.5, 20, 15};  // of 40 x 30: centre 20, 15, half of its sides
  for (const char* points : {" 0.4 0.4 2 0.6 0.6 1", " 0.4 0.4 2", " 0 0 0 0.6 0.6 2 0.1 0.1 1"}) {
    add("a", "1 0.5 0.5 0.5 0.5" + std::string(points) + "\n");
    const ForeignSet set = read_yolo(root_);
    ASSERT_EQ(set.images.at(0).boxes.size(), 1u) << points;
    EXPECT_EQ(set.images[0].boxes[0].bbox, box) << points;
    EXPECT_EQ(set.notes.at(ForeignNote::box_with_key_points).size(), 1u) << points;
    EXPECT_FALSE(set.notes.contains(ForeignNote::polygon_boxed)) << points;
  }
  // Corners on the edges.
  for (const char* polygon : {"1 0.5 0.5 0.5 0.5 0.2 0.2 1 0.6 0.6 1\n", "1 0 0 1 0 1 1 0 1\n"}) {
    add("a", polygon);
    EXPECT_TRUE(read_yolo(root_).notes.contains(ForeignNote::polygon_boxed)) << polygon;
  }
}

TEST_F(YoloReaderTest, RoboflowsDarknetExportIsReadAsItIs) {
  for (const char* split : {"train", "valid"}) {
    write_jpeg(std::string(split) + "/" + split + "-a.jpg", 40, 30);
    write(std::string(split) + "/" + split + "-a.txt", "1 0.5 0.5 0.5 0.5\n");
    write(std::string(split) + "/_darknet.labels", "cat\ndog\n");
  }
  const ForeignSet set = read_yolo(root_);
  EXPECT_EQ(set.classes, (std::vector<std::string>{"cat", "dog"}));
  ASSERT_EQ(set.images.size(), 2u);
  EXPECT_EQ(set.images[0].boxes.at(0).category, "dog");
  EXPECT_EQ(set.splits_from, "folders: train for training, val for validation");
}

TEST_F(YoloReaderTest, ATabInADataFileIsNamed) {
  add("a", "0 0.5 0.5 1 1\n");
  write("data.yaml", "train: images\nval: images\nnames:\n\t- cat\n");
  const std::string message = message_of([&] { read_yolo(root_); });
  EXPECT_TRUE(contains(message, "data.yaml:4: ") || contains(message, "data.yaml:3: ")) << message;
  EXPECT_TRUE(contains(message, "(a tab, where YAML has blanks); mend the file")) << message;
}

TEST_F(YoloReaderTest, ClassesInOtherCapitalsAreNotedAndStayApart) {
  add("a", "0 0.5 0.5 1 1\n1 0.5 0.5 1 1\n");
  write("classes.txt", "cat\nCat\n");
  const ForeignSet set = read_yolo(root_);
  EXPECT_EQ(set.classes.size(), 2u);
  EXPECT_EQ(set.notes.at(ForeignNote::classes_alike), (std::vector<std::string>{"cat and Cat"}));
}

TEST_F(YoloReaderTest, LinesAreReadHoweverTheirNumbersStandApart) {
  write_classes();
  const std::array<double, 4> box{10, 7.5, 20, 15};
  for (const char* line : {"1 0.5 0.5 0.5 0.5", "1,0.5,0.5,0.5,0.5", "1, 0.5, 0.5, 0.5, 0.5",
                           "1\t0.5  0.5 0.5\t0.5 ", "1.0 0.5 0.5 0.5 0.5\r\n", "1 0,5 0,5 0,5 0,5", "1;0.5",
                           "# class cx cy w h\n1 .5 .5 .5 .5", "1 0.5 0.5 0.5 0.5\r\r",
                           "\xef\xbb\xbf"
                           "1 0.5 0.5 0.5 0.5"}) {
    add("a", line);
    const ForeignSet set = read_yolo(root_);
    const bool broken = std::string_view(line) == "1;0.5";
    ASSERT_EQ(set.images.at(0).boxes.size(), broken ? 0u : 1u) << line;
    EXPECT_EQ(set.notes.contains(ForeignNote::object_unreadable), broken) << line;
    if (broken) continue;
    EXPECT_EQ(set.images[0].boxes[0].bbox, box) << line;
    EXPECT_EQ(set.images[0].boxes[0].category, "dog") << line;
  }
  // Line ends of old Macs.
  add("a", "0 0.5 0.5 1 1\r1 0.5 0.5 0.5 0.5\r");
  EXPECT_EQ(read_yolo(root_).images.at(0).boxes.size(), 2u);
}

// As Ultralytics does.
TEST_F(YoloReaderTest, ALineThatStandsTwiceInItsFileIsTakenOnce) {
  write_classes();
  add("a", "0 0.5 0.5 1 1\n1 0.5 0.5 1 1\n0 0.5 0.5 1 1\n");
  const ForeignSet set = read_yolo(root_);
  EXPECT_EQ(set.images.at(0).boxes.size(), 2u);
  ASSERT_EQ(set.notes.at(ForeignNote::object_repeated).size(), 1u);
  EXPECT_TRUE(set.notes.at(ForeignNote::object_repeated)[0].ends_with("labels/a.txt:3"));
}

TEST_F(YoloReaderTest, ClassesWithoutNamesAreNumbered) {
  add("a", "1 0.5 0.5 1 1\n");
  write("data.yaml", "train: images\nnc: 2\n");
  EXPECT_EQ(read_yolo(root_).classes, (std::vector<std::string>{"class_0", "class_1"}));
  write("data.yaml", "train: images\nnc: 0\n");
  EXPECT_NE(message_of([&] { read_yolo(root_); }), "");
}

}  // namespace
}  // namespace ssd
