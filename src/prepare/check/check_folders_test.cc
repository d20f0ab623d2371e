// Folders of which the check says what it took them for, and what else lies there.
#include <gtest/gtest.h>

#include "data/cache/cache_build.h"
#include "data/cache/cache_folder.h"
#include "prepare/check/check.h"
#include "testing/import_folder.h"

namespace ssd {
namespace {

namespace fs = std::filesystem;

class CheckFolders : public FolderTest {
 protected:
  void write_coco(const std::string& split, const std::string& box) const {
    write_jpeg("coco/" + split + "/a.jpg", 40, 30);
    write("coco/annotations/instances_" + split + ".json",
          R"({"images": [{"id": 1, "file_name": "a.jpg", "width": 40, "height": 30}],
              "annotations": [{"id": 5, "image_id": 1, "category_id": 3, "bbox": )" +
              box + R"(}], "categories": [{"id": 3, "name": "cat"}]})");
  }
  void write_cache(const std::string& name) const {
    write_coco("train2017", "[1, 2, 3, 4]");
    build_cache(coco_paths(root_ / "coco", "train2017"), root_ / name, {.encoding = RecordEncoding::file});
  }
};

TEST_F(CheckFolders, OtherFilesAmongImagesAreCounted) {
  write_jpeg("photos/a.jpg", 40, 30);
  write("photos/a.json", R"({"shapes": []})"), write("photos/b.json", "{}"), write("photos/clip.mp4", "x");
  const CheckReport report = check_path(root_ / "photos");
  EXPECT_TRUE(report.good());
  EXPECT_EQ(report.layout, "images without annotations");
  EXPECT_EQ(report.unused, "2 .json files (a.json, b.json), 1 .mp4 file (clip.mp4)");
}

// Whoever has annotated images does not want to hear that nothing is wrong.
TEST_F(CheckFolders, AnnotationsThatAreNotReadAreAProblem) {
  write_jpeg("photos/a.jpg", 40, 30);
  write("photos/a.json", R"({"version": "5.0.1", "shapes": [], "imagePath": "a.jpg"})");
  const CheckReport report = check_path(root_ / "photos");
  ASSERT_EQ(report.findings.size(), 1u) << report.to_text();
  EXPECT_EQ(report.findings[0].problem, CheckProblem::annotations_unreadable);
  EXPECT_TRUE(contains(report.findings[0].place, "a.json"));
  EXPECT_TRUE(contains(report.findings[0].detail, "LabelMe's annotations, which are not read; convert them"));
}

TEST_F(CheckFolders, ACountOfClassesThatIsWrongIsNamed) {
  write_jpeg("yolo/images/a.jpg", 40, 30);
  write("yolo/labels/a.txt", "0 0.5 0.5 1 1\n");
  write("yolo/data.yaml", "train: images\nnc: 3\nnames: [cat]\n");
  const CheckReport report = check_path(root_ / "yolo");
  EXPECT_FALSE(report.good());
  ASSERT_EQ(report.count(CheckProblem::classes_miscounted), 1u) << report.to_text();
  EXPECT_TRUE(contains(report.to_text(), "1 data file that counts more or fewer classes than it names"))
      << report.to_text();
}

TEST_F(CheckFolders, OfFilesThatNameNoSplitEachMayBeForTraining) {
  for (const std::string task : {"one", "two"}) {
    write_coco("train2017", "[1, 2, 3, 4]");
    fs::rename(root_ / "coco", root_ / task);
    fs::create_directories(root_ / "tasks" / task);
    fs::rename(root_ / task / "annotations", root_ / "tasks" / task / "annotations");
    fs::rename(root_ / task / "train2017", root_ / "tasks" / task / "images");
    fs::rename(root_ / "tasks" / task / "annotations/instances_train2017.json",
               root_ / "tasks" / task / "annotations/instances_default.json");
  }
  const CheckReport report = check_path(root_ / "tasks");
  ASSERT_EQ(report.count(CheckProblem::split_of_other_name), 2u) << report.to_text();
  EXPECT_TRUE(
      contains(report.findings.at(0).detail, "--train-images " + (root_ / "tasks/one/images").string()))
      << report.to_text();
}

TEST_F(CheckFolders, BoxesAsCornersAreNamedOnce) {
  write_coco("train2017", "[20, 10, 35, 28]");
  const CheckReport report = check_path(root_ / "coco");
  EXPECT_EQ(report.count(CheckProblem::boxes_as_corners), 1u) << report.to_text();
}

TEST_F(CheckFolders, CachesInAFolderAreCheckedAndAreItsSplits) {
  fs::create_directories(root_ / "caches");
  write_cache("caches/pets-train.cache"), write_cache("caches/val.bin");
  write("caches/notes.txt", "x");
  const CheckReport report = check_path(root_ / "caches");
  EXPECT_TRUE(report.good()) << report.to_text();
  EXPECT_EQ(report.layout, "record caches: training pets-train.cache, validation val.bin");
  EXPECT_EQ(report.summaries.size(), 2u);
  EXPECT_EQ(report.unused, "1 .txt file (notes.txt)");
  write_cache("caches/test.cache"), write_cache("caches/more.cache");
  const CacheFolder caches = find_caches(root_ / "caches");
  EXPECT_EQ(caches.unused.size(), 2u);
  fs::remove(root_ / "caches/pets-train.cache"), fs::remove(root_ / "caches/val.bin");
  EXPECT_EQ(find_caches(root_ / "caches").to_text(),
            "record caches: training more.cache, validation test.cache");
}

}  // namespace
}  // namespace ssd
