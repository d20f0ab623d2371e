#include "data/dataset/locate_images.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace ssd {
namespace {

namespace fs = std::filesystem;

class LocateImages : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(testing::TempDir()) /
              (std::string("locate_") + testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::remove_all(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  void touch(const std::string& name) const {
    fs::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name) << "x";
  }
  // Where an image of that name is found; "-": nowhere.
  std::string located(const std::string& name) const {
    CocoFile coco;
    coco.images = {{.id = 1, .file_name = name, .width = 1, .height = 1}};
    const LocatedImages all = locate_images(coco, folder_);
    EXPECT_EQ(all.helped.size() + all.missing.size(),
              coco.images[0].file_name == name ? all.missing.size() : 1);
    return all.missing.empty() ? coco.images[0].file_name : "-";
  }

  fs::path folder_;
};

TEST_F(LocateImages, NamesThatLeadToFilesStay) {
  touch("a.jpg"), touch("sub/a.jpg");
  EXPECT_EQ(located("a.jpg"), "a.jpg");
  EXPECT_EQ(located("sub/a.jpg"), "sub/a.jpg");
}

TEST_F(LocateImages, FoldersOfAnotherMachineAreCutOff) {
  touch("a.jpg"), touch("deep/er/b.jpg");
  EXPECT_EQ(located("train2017/a.jpg"), "a.jpg");
  EXPECT_EQ(located("images\\a.jpg"), "a.jpg");
  EXPECT_EQ(located("..\\..\\media\\upload\\4\\a.jpg"), "a.jpg");
  EXPECT_EQ(located("C:\\data\\b.jpg"), "deep/er/b.jpg");
  EXPECT_EQ(located("/data/upload/1/a.jpg"), "a.jpg");
  EXPECT_EQ(located("c.jpg"), "-");
}

TEST_F(LocateImages, ANameWithoutItsEndingIsTheOneImageThatHasIt) {
  touch("a.jpg"), touch("a.txt"), touch("b.c.jpg"), touch("d.png"), touch("d.jpg"), touch("E.JPG");
  EXPECT_EQ(located("a"), "a.jpg");
  EXPECT_EQ(located("x\\e"), "E.JPG");
  EXPECT_EQ(located("b.c"), "b.c.jpg");
  EXPECT_EQ(located("b"), "-");
  EXPECT_EQ(located("d"), "-");
}

TEST_F(LocateImages, AddressesAreFilesOfTheirNames) {
  touch("my dog.jpg"), touch("b.jpg"), touch("c%20d.jpg");
  EXPECT_EQ(located("my%20dog.jpg"), "my dog.jpg");
  EXPECT_EQ(located("https://host/pets/b.jpg?Expires=1&Key=/x%2Fy"), "b.jpg");
  EXPECT_EQ(located("/data/local-files/?d=images%2Fb.jpg"), "b.jpg");
  EXPECT_EQ(located("images/0a1b2c3d-b.jpg"), "b.jpg");
  EXPECT_EQ(located("c%20d.jpg"), "c%20d.jpg");
  touch("0a1b2c3d-b.jpg");
  EXPECT_EQ(located("images/0a1b2c3d-b.jpg"), "0a1b2c3d-b.jpg");
}

TEST_F(LocateImages, CapitalsCountOnlyWhereTheyDecide) {
  touch("a.jpg"), touch("B.jpg"), touch("b.JPG");
  EXPECT_EQ(located("A.JPG"), "a.jpg");
  EXPECT_EQ(located("x/b.JPG"), "b.JPG");
  EXPECT_EQ(located("b.jpg"), "-");  // two would do
}

// "u" with its dots as one character and as two: macOS writes names in the second form.
TEST_F(LocateImages, UnicodeNormalFormsDoNotCount) {
  touch("M\xc3\xbcller.jpg"), touch("Zu\xcc\x88rich.jpg");
  EXPECT_EQ(located("Mu\xcc\x88ller.jpg"), "M\xc3\xbcller.jpg");
  EXPECT_EQ(located("x/Z\xc3\xbcrich.JPG"), "Zu\xcc\x88rich.jpg");
}

TEST_F(LocateImages, OfEqualNamesTheFoldersDecide) {
  touch("1/a.jpg"), touch("2/a.jpg"), touch("2/sub/a.jpg");
  EXPECT_EQ(located("old\\2\\a.jpg"), "2/a.jpg");
  EXPECT_EQ(located("old/2/sub/a.jpg"), "2/sub/a.jpg");
  EXPECT_EQ(located("old/3/a.jpg"), "-");
}

}  // namespace
}  // namespace ssd
