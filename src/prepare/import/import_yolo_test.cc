#include <gtest/gtest.h>

#include <map>
#include <set>

#include "prepare/import/import_test.h"

namespace ssd {
namespace {

namespace fs = std::filesystem;

class YoloTest : public YoloImportTest {};

TEST_F(YoloTest, ReadsADataFileWithFolders) {
  write_two();
  write(
      "src/data.yaml",
      "# pets\npath: .\ntrain: images/train\nval: images/val\nnc: 3\nnames:\n  0: cat\n  1: dog\n  2: cow\n");
  const ImportReport report = import();
  EXPECT_EQ(report.train.boxes, 1u);
  EXPECT_EQ(report.val.boxes, 2u);
  EXPECT_TRUE(report.notes.empty()) << report.to_text();
  const CocoFile train = coco("train2017");
  ASSERT_EQ(train.categories.size(), 3u);
  EXPECT_EQ(train.categories[2].name, "cow");
  EXPECT_EQ(train.annotations.at(0).category_id, 2);
  const std::array<double, 4> expected{15, 12, 10, 6};  // of 40 x 30: centre 20, 15, size 10 x 6
  for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR(train.annotations[0].bbox[i], expected[i], 1e-9);
  EXPECT_EQ(coco("val2017").annotations.at(1).bbox, (std::array<double, 4>{0, 0, 40, 30}));
  EXPECT_EQ(coco("val2017").images.at(0).file_name, "b.jpg");
}

TEST_F(YoloTest, ReadsExportersDataFilesAndListsOfSeveralPlaces) {
  write_jpeg("src/train/images/a.jpg", 40, 30);
  write_jpeg("src/more/images/c.jpg", 40, 30);
  write_jpeg("src/valid/images/b.jpg", 40, 30);
  write("src/train/labels/a.txt", "0 0.5 0.5 0.25 0.2\n");
  write("src/more/labels/c.txt", "0 0.5 0.5 0.25 0.2\n");
  write("src/valid/labels/b.txt", "");
  write("src/val_list.txt", "./valid/images/b.jpg\n./valid/images/gone.jpg\n");
  write("src/pets.yaml", "train: [../train/images, more/images]\nval: val_list.txt\nnames: ['cat']\n");
  write("src/settings.yaml", "colour: red\n");
  const ImportReport report = import();
  EXPECT_EQ(names("train2017"), (std::set<std::string>{"a.jpg", "c.jpg"}));
  EXPECT_EQ(names("val2017"), (std::set<std::string>{"b.jpg"}));
  EXPECT_EQ(report.notes.at(ForeignNote::listed_without_image).size(), 1u);
}

TEST_F(YoloTest, FollowsADataFileToAnotherFolder) {
  write_two();
  fs::rename(root_ / "src", root_ / "elsewhere");
  write("config/pets.yaml", "path: ../elsewhere\ntrain: images/train\nval: images/val\nnames: [cat, dog]\n");
  import_yolo(root_ / "config/pets.yaml", root_ / "dst");
  EXPECT_EQ(names("train2017"), (std::set<std::string>{"a.jpg"}));
  fs::remove_all(root_ / "dst");
  write("config/pets.yaml", fmt::format("train: {0}/images/train\nval: {0}/images/val\nnames: [cat, dog]\n",
                                        (root_ / "elsewhere").string()));
  EXPECT_EQ(import_yolo(root_ / "config/pets.yaml", root_ / "dst").val.boxes, 2u);
}

TEST_F(YoloTest, ReadsAClassesFileAndSharesOut) {
  for (int i = 0; i < 10; ++i) {
    write_jpeg(fmt::format("src/{}.jpg", i), 40, 30);
    write(fmt::format("src/{}.txt", i), "1 0.5 0.5 0.25 0.2\n");
  }
  write("src/classes.txt", "cat\r\ndog\r\n");
  const ImportReport report = import();
  EXPECT_EQ(report.train.images, 9u);
  EXPECT_EQ(report.val.images, 1u);
  EXPECT_EQ(report.classes.at(1).name, "dog");
  EXPECT_EQ(report.classes.at(1).boxes, 10u);
  EXPECT_EQ(report.splits_from, "a share of 10% for validation (seed 0)");
}

TEST_F(YoloTest, ClassesFileWithFoldersNamedAsSplits) {
  write_two();
  write("src/classes.txt", "cat\ndog\n");
  import();
  EXPECT_EQ(names("train2017"), (std::set<std::string>{"a.jpg"}));
  EXPECT_EQ(names("val2017"), (std::set<std::string>{"b.jpg"}));
}

TEST_F(YoloTest, RotatedImagesPolygonsAndEmptyBoxes) {
  write_jpeg("src/images/a.jpg", 40, 30, 6);
  write_jpeg("src/images/b.jpg", 40, 30);
  write("src/labels/a.txt", "0 0.5 0.5 1 1\n");
  write("src/labels/b.txt", "0 0.25 0.2 0.75 0.4 0.5 0.6\n0 0.5 0.5 0 0.1\n0 0.9 0.5 0.4 0.1\n");
  write_jpeg("src/images/c.jpg", 40, 30);
  write("src/classes.txt", "cat\n");
  ForeignOptions options;
  options.val_share = 0;
  const ImportReport report = import(options);
  const CocoFile train = coco("train2017");
  EXPECT_EQ(train.images.at(0).width, 30);
  EXPECT_EQ(train.annotations.at(0).bbox, (std::array<double, 4>{0, 0, 30, 40}));
  const std::array<double, 4> polygon{10, 6, 20, 12};
  for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR(train.annotations.at(1).bbox[i], polygon[i], 1e-9);
  EXPECT_EQ(report.notes.at(ForeignNote::polygon_boxed).size(), 1u);
  EXPECT_TRUE(contains(report.notes.at(ForeignNote::box_without_size).at(0), "b.txt:2"));
  EXPECT_EQ(report.notes.at(ForeignNote::box_over_edge).size(), 1u);
  EXPECT_EQ(report.notes.at(ForeignNote::image_without_annotation).at(0), "images/c.jpg");
  EXPECT_EQ(train.images.size(), 3u);
}

// The blood cells written as YOLO has them come back as they were.
TEST_F(YoloTest, BloodCellsComeBack) {
  const fs::path cells = fs::path(SSD_SOURCE_DIR) / "../shared/data/bccd";
  if (!fs::exists(cells)) GTEST_SKIP() << cells << " is not there";
  const CocoFile reference = read_coco(cells / "annotations/instances_test.json");
  std::map<std::int64_t, std::string> labels;
  for (const CocoAnnotation& a : reference.annotations) {
    labels[a.image_id] +=
        fmt::format("{} {:.8f} {:.8f} {:.8f} {:.8f}\n", a.category_id - 1, (a.bbox[0] + a.bbox[2] / 2) / 640,
                    (a.bbox[1] + a.bbox[3] / 2) / 480, a.bbox[2] / 640, a.bbox[3] / 480);
  }
  fs::create_directories(root_ / "src/images");
  for (const CocoImage& image : reference.images) {
    fs::copy_file(cells / "JPEGImages" / image.file_name, root_ / "src/images" / image.file_name);
    write("src/labels/" + fs::path(image.file_name).stem().string() + ".txt", labels[image.id]);
  }
  write("src/classes.txt", "RBC\nWBC\nPlatelets\n");
  ForeignOptions options;
  options.val_share = 0;
  import(options);
  const CocoFile ours = coco("train2017");
  ASSERT_EQ(ours.annotations.size(), reference.annotations.size());
  for (std::size_t i = 0; i < ours.annotations.size(); ++i) {
    EXPECT_EQ(ours.annotations[i].category_id, reference.annotations[i].category_id);
    for (std::size_t j = 0; j < 4; ++j) {
      EXPECT_NEAR(ours.annotations[i].bbox[j], reference.annotations[i].bbox[j], 1e-4);
    }
  }
}

TEST_F(YoloTest, ABadLineIsNamedAndCostsItself) {
  write_two();
  write("src/classes.txt", "cat\ndog\n");
  const auto fault_with = [&](const std::string& labels) {
    fs::remove_all(root_ / "dst");
    write("src/labels/train/a.txt", labels + "\n1 0.5 0.5 0.25 0.2\n");
    const ImportReport report = import();
    EXPECT_EQ(report.train.images, 1u);
    EXPECT_EQ(report.train.boxes, 1u) << labels;
    EXPECT_EQ(report.val.boxes, 2u);
    EXPECT_EQ(report.notes.at(ForeignNote::object_unreadable).size(), 1u);
    EXPECT_TRUE(contains(report.to_text(), "a.txt:")) << report.to_text();
    EXPECT_TRUE(contains(report.to_json(), "object_unreadable"));
    return report.notes.at(ForeignNote::object_unreadable).at(0);
  };
  EXPECT_TRUE(contains(fault_with("0 0.5 half 0.1 0.1"), "a.txt:1: got \"0 0.5 half"));
  EXPECT_TRUE(contains(fault_with("0 0.5 0.5 0.1"), "a.txt:1: got 4 numbers, expected 5"));
  EXPECT_TRUE(contains(fault_with("\n2 0.5 0.5 0.1 0.1"), "a.txt:2: got class 2, expected 0 to 1"));
  EXPECT_TRUE(contains(fault_with("-1 0.5 0.5 0.1 0.1"), "a.txt:1: got class -1"));
  EXPECT_TRUE(contains(fault_with("0 20 15 10 6"), "expected normalized coordinates"));
  EXPECT_TRUE(contains(fault_with("0 nan 0.5 0.1 0.1"), "a.txt:1"));
  EXPECT_TRUE(contains(fault_with("0 .1 .1 .3 .1 500 600"), "a.txt:1: got 500, expected normalized"));
}

TEST_F(YoloTest, NothingLeftIsAnErrorThatNamesTheFirstReason) {
  write("src/a.jpg", "no image");
  write("src/a.txt", "0 0.5 0.5 0.1 0.1\n");
  write("src/classes.txt", "cat\n");
  const std::string message = message_of([&] { import(); });
  EXPECT_TRUE(contains(message, "1 image left out: the header is broken (a.jpg")) << message;
}

TEST_F(YoloTest, TakesByteOrderMarksAndConfidences) {
  write_jpeg("src/a.jpg", 40, 30);
  write("src/a.txt",
        "\xef\xbb\xbf"
        "0 0.5 0.5 0.5 0.5 0.93\n0 0.5 0.5 1 1\n");
  write("src/classes.txt", "cat\n");
  ForeignOptions options;
  options.val_share = 0;
  EXPECT_TRUE(import(options).notes.empty());
  EXPECT_EQ(coco("train2017").annotations.at(0).bbox, (std::array<double, 4>{10, 7.5, 20, 15}));
}

TEST_F(YoloTest, AnImageWithoutLabelsTakesNoOtherImagesNorTheClasses) {
  write_two();
  write_jpeg("src/images/val/a.jpg", 40, 30);  // background; train has an a.jpg with labels
  write_jpeg("src/images/train/classes.jpg", 40, 30);
  write_jpeg("src/classes.jpg", 40, 30);
  write("src/labels/stray.txt", "0 0.5 0.5 1 1\n");
  write_jpeg("src/images/train/stray.jpg", 40, 30);
  write("src/classes.txt", "cat\ndog\n");
  const ImportReport report = import();
  EXPECT_EQ(report.train.boxes, 2u);  // of a and stray
  EXPECT_EQ(report.val.boxes, 2u);    // of b
  EXPECT_EQ(report.notes.at(ForeignNote::image_without_annotation).size(), 3u) << report.to_text();
  EXPECT_FALSE(report.notes.contains(ForeignNote::annotation_unreadable)) << report.to_text();
}

TEST_F(YoloTest, FollowsLinksToFoldersButNoCircles) {
  write_two();
  write("src/classes.txt", "cat\ndog\n");
  fs::rename(root_ / "src/images", root_ / "photos");
  fs::create_directory_symlink(root_ / "photos", root_ / "src/images");
  fs::create_directory_symlink(root_ / "src", root_ / "photos/circle");
  fs::create_directory_symlink(root_ / "nowhere", root_ / "src/dangling");
  const ImportReport report = import();
  EXPECT_EQ(report.train.images, 1u) << report.to_text();
  EXPECT_EQ(report.val.boxes, 2u);
}

TEST_F(YoloTest, ImageNamesThatAreNoUtf8AreTakenAsLatin1) {
  write_jpeg("src/caf\xe9.jpg", 40, 30);
  write("src/caf\xe9.txt", "0 0.5 0.5 1 1\n");
  write("src/classes.txt", "cat\n");
  ForeignOptions options;
  options.val_share = 0;
  const ImportReport report = import(options);
  EXPECT_EQ(report.notes.at(ForeignNote::name_not_utf8).size(), 1u);
  EXPECT_EQ(names("train2017"), (std::set<std::string>{"caf\u00e9.jpg"}));
}

TEST_F(YoloTest, DataFilesThatDoNotFitAreRefusedWithTheLine) {
  write_two();
  const auto error_with = [&](const std::string& yaml) {
    write("src/data.yaml", yaml);
    return message_of([&] { import(); });
  };
  const std::string paths = "train: images/train\nval: images/val\n";
  EXPECT_TRUE(contains(error_with(paths), "got no names"));
  EXPECT_TRUE(
      contains(error_with(paths + "names:\n  0: cat\n  -1: dog\n"), "data.yaml:5: got class number \"-1\""));
  EXPECT_TRUE(
      contains(error_with(paths + "names:\n  0: cat\n  4000000000: dog\n"), "data.yaml:5: got class number"));
  EXPECT_TRUE(contains(error_with("train: images/gone\nval: images/val\nnames: [cat, dog]\n"),
                       "data.yaml:1: got images/gone"));
  EXPECT_TRUE(contains(error_with("names: [cat, dog\n"), "data.yaml:"));
  fs::remove(root_ / "src/data.yaml");
  EXPECT_TRUE(contains(message_of([&] { import(); }), "neither data.yaml nor classes.txt"));
}

// The layout of small public sets.
TEST_F(YoloTest, TrainAndValOfOneFolderAreSharedOut) {
  for (int i = 0; i < 10; ++i) {
    write_jpeg(fmt::format("src/images/{}.jpg", i), 40, 30);
    write(fmt::format("src/labels/{}.txt", i), "0 0.5 0.5 0.25 0.2\n");
  }
  write("src/data.yaml", "train: images\nval: images\nnames: [cat]\n");
  const ImportReport report = import();
  EXPECT_EQ(report.train.images, 9u);
  EXPECT_EQ(report.val.images, 1u);
  EXPECT_EQ(report.splits_from,
            "data file: train and val are the same images, of which a share of 10% for validation (seed 0)");
  EXPECT_TRUE(report.notes.empty()) << report.to_text();
}

TEST_F(YoloTest, ImagesOfBothSplitsAndAnEmptyTrainingSplitAreNoted) {
  write_two();
  write("src/data.yaml", "train: images\nval: images/val\nnames: [cat, dog]\n");
  const ImportReport both = import();
  EXPECT_EQ(both.train.images, 1u);
  EXPECT_EQ(both.notes.at(ForeignNote::image_in_both_splits).at(0), "images/val/b.jpg");
  fs::remove_all(root_ / "dst");
  fs::remove(root_ / "src/images/train/a.jpg");
  write("src/data.yaml", "train: images/train\nval: images/val\nnames: [cat, dog]\n");
  EXPECT_EQ(import().notes.at(ForeignNote::split_empty).at(0), "train2017");
}

TEST_F(YoloTest, WhatIsLeftOutIsNoted) {
  write_two();
  write_jpeg("src/images/test/t.jpg", 40, 30);
  write("src/labels/test/t.txt", "0 0.5 0.5 0.25 0.2\n");
  write("src/labels/train/gone.txt", "\n0 0.5 0.5 0.25 0.2\n");
  write("src/readme.txt", "5 images\n");
  fs::create_symlink(root_ / "nowhere.jpg", root_ / "src/images/train/link.jpg");
  write("src/data.yaml",
        "train: images/train\nval: images/val\ntest: [images/test, images/absent]\nnames: [cat, dog]\n");
  const ImportReport report = import();
  EXPECT_EQ(report.train.images, 1u);
  ASSERT_EQ(report.notes.size(), 3u) << report.to_text();
  EXPECT_EQ(report.notes.at(ForeignNote::image_in_no_split), (std::vector<std::string>{"images/test/t.jpg"}));
  EXPECT_EQ(report.notes.at(ForeignNote::annotation_without_image),
            (std::vector<std::string>{"labels/train/gone.txt"}));
  EXPECT_TRUE(contains(report.notes.at(ForeignNote::path_unreadable).at(0), "images/train/link.jpg"));
}

TEST_F(YoloTest, ImagesOfAmbiguousOrientationAreNoted) {
  write_two();
  write_jpeg("src/images/train/a.jpg", 40, 30, 3);
  write_jpeg("src/images/val/b.jpg", 30, 30, 6);
  write_jpeg("src/images/train/rotated.jpg", 40, 30, 6);  // its size tells
  write("src/labels/train/rotated.txt", "0 0.5 0.5 0.25 0.2\n");
  write_jpeg("src/images/train/empty.jpg", 40, 30, 2);  // has no boxes to be wrong
  write("src/labels/train/empty.txt", "");
  write("src/classes.txt", "cat\ndog\n");
  const ImportReport report = import();
  ASSERT_EQ(report.notes.size(), 1u) << report.to_text();
  EXPECT_EQ(report.notes.at(ForeignNote::image_orientation_ambiguous),
            (std::vector<std::string>{"images/train/a.jpg", "images/val/b.jpg"}));
}

TEST_F(YoloTest, ClassesThatOccurTwiceAreRefused) {
  write_two();
  write("src/data.yaml", "train: images/train\nval: images/val\nnames: [cat, 'cat ']\n");
  EXPECT_EQ(message_of([&] { import(); }),
            "classes: got \"cat\" twice, expected every name once; rename one of the two");
  EXPECT_FALSE(fs::exists(root_ / "dst/annotations"));
}

TEST_F(YoloTest, EndedBetweenItsTwoAnnotationFilesCanBeMadeAgain) {
  write_two();
  write("src/data.yaml", "train: images/train\nval: images/val\nnames: [cat, dog]\n");
  import();
  const fs::path annotations = root_ / "dst/annotations";
  EXPECT_FALSE(message_of([&] { import(); }).empty()) << "a finished one is kept";
  fs::remove(annotations / "instances_val2017.json");
  write("dst/annotations/.unfinished-import", "");
  import();
  EXPECT_TRUE(fs::exists(annotations / "instances_val2017.json"));
  EXPECT_EQ(std::distance(fs::directory_iterator(annotations), {}), 2);
}

TEST_F(YoloTest, RefusesItsOwnSourceAsTarget) {
  write_two();
  write("src/data.yaml", "train: images/train\nval: images/val\nnames: [cat, dog]\n");
  for (const fs::path& source : {root_ / "src", root_ / "src/data.yaml"})
    EXPECT_TRUE(
        contains(message_of([&] { import_yolo(source, root_ / "src/."); }), "the target is the source"));
}

}  // namespace
}  // namespace ssd
