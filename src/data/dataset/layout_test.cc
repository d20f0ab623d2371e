#include "data/dataset/layout.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "data/dataset/coco_split.h"

namespace ssd {
namespace {

namespace fs = std::filesystem;

class Layout : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(testing::TempDir()) /
              (std::string("layout_") + testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  void write(const std::string& name, const std::string& text) const {
    fs::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name) << text;
  }
  // An annotation file that names one image.
  void annotate(const std::string& name, const std::string& image) const {
    write(name, R"({"images": [{"id": 1, "file_name": ")" + image + R"("}], "annotations": []})");
  }
  // "annotations images", below the folder; "-": there is no such split.
  std::string text(const std::optional<CocoLayout::Split>& split) const {
    if (!split) return "-";
    const auto below = [&](const fs::path& path) { return path.lexically_relative(folder_).string(); };
    return below(split->paths.annotations) + " " + below(split->paths.images);
  }
  CocoLayout found() const { return find_coco_layout(folder_); }

  fs::path folder_;
};

TEST_F(Layout, CocoAsPublished) {
  for (const std::string year : {"2014", "2017"})
    for (const std::string split : {"train", "val"}) {
      annotate("annotations/instances_" + split + year + ".json", "a.jpg");
      annotate("annotations/captions_" + split + year + ".json", "a.jpg");
      write(split + year + "/a.jpg", "x");
    }
  EXPECT_EQ(text(found().train), "annotations/instances_train2017.json train2017");
  EXPECT_EQ(text(found().val), "annotations/instances_val2017.json val2017");
  EXPECT_EQ(found().unused.size(), 2u);  // those of 2014
  EXPECT_EQ(text(found().find("train2014")), "annotations/instances_train2014.json train2014");
  EXPECT_EQ(text(found().find("train")), "annotations/instances_train2017.json train2017");
  EXPECT_EQ(text(found().find("test2017")), "-");
}

TEST_F(Layout, ImagesOfTheOnlyAnnotationsMayLieAnywhere) {
  annotate("ann/boxes.json", "a.jpg");
  write("my photos/deep/a.jpg", "x");
  EXPECT_EQ(text(found().train), "ann/boxes.json my photos/deep");
  annotate("ann/boxes_val.json", "a.jpg");
  fs::remove(folder_ / "ann/boxes.json");
  EXPECT_EQ(text(found().val), "ann/boxes_val.json my photos/deep");
  fs::rename(folder_ / "my photos/deep", folder_ / "my photos/train");
  EXPECT_NE(text(found().val), "ann/boxes_val.json my photos/train");
  fs::rename(folder_ / "my photos/train", folder_ / "my photos/deep");
  fs::rename(folder_ / "ann/boxes_val.json", folder_ / "ann/boxes.json");
  // Which are meant is not to be guessed.
  write("my photos/other/a.jpg", "x");
  EXPECT_NE(text(found().train), "ann/boxes.json my photos/deep");
  fs::remove_all(folder_ / "my photos/other");
  annotate("ann/test.json", "b.jpg");
  EXPECT_NE(text(found().train), "ann/boxes.json my photos/deep");
}

TEST_F(Layout, KeyPointsServeWhereThereIsNothingElse) {
  annotate("annotations/person_keypoints_train2017.json", "a.jpg");
  write("train2017/a.jpg", "x");
  EXPECT_EQ(text(found().train), "annotations/person_keypoints_train2017.json train2017");
  annotate("annotations/instances_train2017.json", "a.jpg");
  EXPECT_EQ(text(found().train), "annotations/instances_train2017.json train2017");
  EXPECT_TRUE(found().unused.empty());
}

TEST_F(Layout, ASplitOfTheTestStandsInForValidation) {
  annotate("annotations/instances_train.json", "a.jpg");
  annotate("annotations/instances_test.json", "b.jpg");
  write("JPEGImages/a.jpg", "x"), write("JPEGImages/b.jpg", "x"), write("Annotations/a.xml", "<a/>");
  EXPECT_EQ(text(found().train), "annotations/instances_train.json JPEGImages");
  EXPECT_EQ(text(found().val), "annotations/instances_test.json JPEGImages");
  EXPECT_TRUE(found().unused.empty());
}

TEST_F(Layout, AnnotationsBesideTheImagesOfTheirSplit) {
  for (const std::string split : {"train", "valid", "test"}) {
    annotate(split + "/_annotations.coco.json", "a.jpg");
    write(split + "/a.jpg", "x");
  }
  EXPECT_EQ(text(found().train), "train/_annotations.coco.json train");
  EXPECT_EQ(text(found().val), "valid/_annotations.coco.json valid");
  ASSERT_EQ(found().unused.size(), 1u);
  EXPECT_EQ(text(found().unused[0]), "test/_annotations.coco.json test");
}

TEST_F(Layout, OneFileIsForTraining) {
  annotate("labels.json", "a.jpg");
  write("data/a.jpg", "x");
  EXPECT_EQ(text(found().train), "labels.json data");
  EXPECT_EQ(text(found().val), "-");
}

TEST_F(Layout, SeveralFilesThatNameNoSplitAreNotGuessedAmong) {
  annotate("one.json", "a.jpg");
  annotate("two.json", "a.jpg");
  EXPECT_TRUE(found().ambiguous);
  EXPECT_EQ(text(found().train), "-");
  EXPECT_EQ(found().to_text(folder_), "not used: one.json, two.json");
  annotate("result.json", "images\\\\a.jpg");  // Label Studio's name wins
  write("images/a.jpg", "x");
  EXPECT_FALSE(found().ambiguous);
  EXPECT_EQ(text(found().train), "result.json images");
}

TEST_F(Layout, OtherJsonIsNotTaken) {
  write("package.json", R"({"name": "x"})");
  write("list.json", R"([{"images": 1}])");
  write("dump.json", "\x1f\x8b");
  EXPECT_EQ(text(found().train), "-");
  EXPECT_TRUE(found().unused.empty());
  write("annotations/instances_train2017.json", "<html>");  // named as annotations: refused when it is read
  EXPECT_EQ(text(found().train), "annotations/instances_train2017.json train2017");
}

TEST_F(Layout, CategoriesAloneAreNoAnnotations) {
  write("notes.json", R"({"categories": [{"id": 0, "name": "cat"}], "info": {}})");
  EXPECT_EQ(text(found().train), "-");
  EXPECT_TRUE(found().unused.empty());
}

TEST_F(Layout, FilesFurtherDownCountWhereThereAreNoOthers) {
  for (const std::string split : {"train", "val"}) {
    annotate("pets/" + split + "/annotations/instances_default.JSON", "a.jpg");
    write("pets/" + split + "/images/a.jpg", "x");
  }
  EXPECT_EQ(text(found().train), "pets/train/annotations/instances_default.JSON pets/train/images");
  EXPECT_EQ(text(found().val), "pets/val/annotations/instances_default.JSON pets/val/images");
  EXPECT_EQ(text(find_coco_layout(folder_ / "").train), text(found().train));
  annotate("pets/annotations/instances_train2017.json", "a.jpg");
  write("pets/train2017/a.jpg", "x");
  EXPECT_EQ(text(found().train), "pets/annotations/instances_train2017.json pets/train2017");
  annotate("labels.json", "b.jpg");
  write("b.jpg", "x");
  EXPECT_EQ(text(found().train), "labels.json .");
  EXPECT_TRUE(found().unused.empty());
}

TEST_F(Layout, Utf16IsLookedInto) {
  std::string wide = "\xff\xfe";
  for (const char c : R"({"images": [{"id": 1, "file_name": "a.jpg"}], "annotations": []})")
    wide += {c, '\0'};
  write("annotations/train.json", wide);
  write("photos/a.jpg", "x"), write("images/a.jpg", "x");
  EXPECT_EQ(text(found().train), "annotations/train.json images");
}

// LVIS names images by address, behind all annotations; some of its validation images are COCO's for
// training.
TEST_F(Layout, AddressesTellTheFolder) {
  const auto image = [](const std::string& name) {
    return R"({"id": 1, "coco_url": "http://images.cocodataset.org/)" + name + "\"}";
  };
  const std::string many(300000, ' ');
  write("lvis_v1_train.json",
        R"({"annotations": [)" + many + R"(], "images": [)" + image("train2017/1.jpg") + "]}");
  write("lvis_v1_val.json", R"({"annotations": [)" + many + R"(], "images": [)" + image("val2017/2.jpg") +
                                "," + image("train2017/3.jpg") + "]}");
  write("train2017/1.jpg", "x"), write("val2017/2.jpg", "x"), write("train2017/3.jpg", "x");
  EXPECT_EQ(text(found().train), "lvis_v1_train.json train2017");
  EXPECT_EQ(text(found().val), "lvis_v1_val.json .");
}

// Folders after public reports: what training reads of each.
TEST(LayoutCases, FoldersThatPeopleBringAreRead) {
  const fs::path cases = SSD_SOURCE_DIR "/../shared/cases";
  if (!fs::exists(cases)) GTEST_SKIP() << "shared/cases is not beside the source tree";
  struct Case {
    const char* folder;
    std::size_t images, boxes, classes;  // counted with Python's json module, faults taken away by hand
    std::size_t helped = 0, left_out = 0, measured = 0;
  };
  for (const Case& one : {
           Case{"roboflow-coco", 4, 72, 3, 0, 1},
           Case{"label-studio-coco", 4, 72, 3, 4},
           Case{"coco-layouts/a", 4, 72, 3},
           Case{"coco-layouts/b", 4, 72, 3},
           Case{"coco-layouts/c", 3, 55, 3},
           Case{"file-name-prefix/a", 4, 72, 3, 4},
           Case{"file-name-prefix/c", 4, 72, 3, 4},
           Case{"broken-bbox/a", 4, 72, 3, 0, 1},
           Case{"broken-bbox/b", 4, 72, 3, 0, 1},
           Case{"broken-bbox/e", 4, 69, 3, 0, 3},
           Case{"no-width-height", 4, 72, 3, 0, 0, 4},
       }) {
    SCOPED_TRACE(one.folder);
    const CocoLayout layout = find_coco_layout(cases / one.folder);
    ASSERT_TRUE(layout.train);
    const CocoSplit split = read_coco_split(layout.train->paths);
    EXPECT_EQ(split.coco.images.size(), one.images);
    EXPECT_EQ(split.coco.annotations.size(), one.boxes);
    EXPECT_EQ(split.coco.categories.size(), one.classes);
    EXPECT_EQ(split.located.helped.size(), one.helped);
    EXPECT_EQ(split.located.missing.size(), 0u);
    EXPECT_EQ(split.coco.left_out.size(), one.left_out);
    EXPECT_EQ(split.measured.size(), one.measured);
    for (const CocoImage& image : split.coco.images) EXPECT_EQ(image.width * image.height, 640 * 480);
  }
}

}  // namespace
}  // namespace ssd
