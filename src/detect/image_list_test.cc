// What arguments stand for: folders, patterns, lists, standard input; and what is passed over on the way.
#include "detect/image_list.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "storage/atomic_file.h"
#include "testing/message_of.h"
#include "testing/temporary_folder.h"

namespace ssd {
namespace {

namespace fs = std::filesystem;
using SubFolders = ImageListOptions::SubFolders;

class ListedImages : public testing::Test {
 protected:
  ListedImages() {
    for (const char* name : {"b.JPG", "a.webp", "notes.txt", "more.txt", "README", ".hidden.jpg", "sub/c.tif",
                             "sub/d.json", "sub/deep/e.png", "found/f.png", "other/g.csv"}) {
      fs::create_directories((folder_.path() / name).parent_path());
      write_file_atomically(folder_.path() / name, "x");
    }
  }

  std::string path(const std::string& name) const { return (folder_.path() / name).string(); }

  // Below the folder.
  std::vector<std::string> names(const ImageList& list) const {
    std::vector<std::string> names;
    for (const std::string& file : list.files)
      names.push_back(file.starts_with(path("")) ? file.substr(path("").size()) : file);
    return names;
  }

  static std::string refusal(const std::vector<std::string>& arguments,
                             const ImageListOptions& options = {}) {
    return message_of([&] { list_images(arguments, options); });
  }

  const TemporaryFolder folder_;
};

using Names = std::vector<std::string>;

TEST_F(ListedImages, FoldersAreFollowedAndWhatIsPassedOverIsCounted) {
  const std::vector<std::string> arguments = {folder_.path().string()};
  const ImageList all = list_images(arguments, {.except = path("found")});
  EXPECT_EQ(names(all), (Names{"a.webp", "b.JPG", "sub/c.tif", "sub/deep/e.png"}));
  EXPECT_EQ(all.passed_over(),
            "passed over: 5 files of other types (1 without an ending, 1 .csv, 1 .json, 2 .txt)");
  const ImageList one = list_images(arguments, {.sub_folders = SubFolders::leave});
  EXPECT_EQ(names(one), (Names{"a.webp", "b.JPG"}));
  EXPECT_EQ(one.passed_over(),
            "passed over: 3 files of other types (1 without an ending, 2 .txt); 3 sub-folders (" +
                path("found") + ", " + path("other") + ", " + path("sub") +
                "), without --no-recursive they are followed");
  EXPECT_EQ(list_images(std::vector{path("sub/deep")}).passed_over(), "");
}

TEST_F(ListedImages, TheFolderOfTheResultsMayBeThatOfTheImages) {
  EXPECT_EQ(names(list_images(std::vector{path("found")}, {.except = path("found")})), Names{"found/f.png"});
}

TEST_F(ListedImages, PatternsMatchFilesAndFolders) {
  EXPECT_EQ(names(list_images(std::vector{path("*.JPG"), path("s?b")})),
            (Names{"b.JPG", "sub/c.tif", "sub/deep/e.png"}));
  const ImageList mixed = list_images(std::vector{path("[abmns]*")}, {.sub_folders = SubFolders::leave});
  EXPECT_EQ(names(mixed), (Names{"a.webp", "b.JPG"}));
  EXPECT_EQ(mixed.passed_over(), "passed over: 2 files of other types (2 .txt); 1 sub-folder (" +
                                     path("sub") + "), without --no-recursive it is followed");
  // A file of that name is meant before a pattern is.
  write_file_atomically(folder_.path() / "x[1].jpg", "x");
  EXPECT_EQ(names(list_images(std::vector{path("x[1].jpg")})), Names{"x[1].jpg"});
}

TEST_F(ListedImages, ListsNameWhatArgumentsMay) {
  write_file_atomically(folder_.path() / "list.txt",
                        "\xef\xbb\xbf"
                        "b.JPG\r\n\n" +
                            path("sub/deep") + "  \nnotes.txt\n" + path("*.webp") + "\n");
  EXPECT_EQ(names(list_images(std::vector{"@" + path("list.txt")})),
            (Names{"b.JPG", "sub/deep/e.png", "notes.txt", "a.webp"}));
  std::string wide = "\xff\xfe";
  for (const char c : std::string("# photos\nb.JPG\n")) wide += {c, '\0'};
  write_file_atomically(folder_.path() / "wide.txt", wide);
  EXPECT_EQ(names(list_images(std::vector{"@" + path("wide.txt")})), Names{"b.JPG"});
  write_file_atomically(folder_.path() / "@odd.jpg", "x");
  EXPECT_EQ(names(list_images(std::vector{path("@odd.jpg")})), Names{"@odd.jpg"});
}

TEST_F(ListedImages, FilesAreTakenAsTheyAreNamed) {
  EXPECT_EQ(names(list_images(std::vector<std::string>{path("notes.txt"), "-", path("none.jpg")})),
            (Names{"notes.txt", "-", "none.jpg"}));
}

TEST_F(ListedImages, WhatNamesNoImageIsRefused) {
  EXPECT_EQ(refusal({path("other")}), path("other") +
                                          ": got a folder without an image, expected JPEG, PNG, WebP, BMP, "
                                          "TIFF, GIF, HEIC or AVIF files; passed over: 1 file of other types "
                                          "(1 .csv)");
  EXPECT_NE(refusal({path("*.heic")}).find("got a pattern that no file fits"), std::string::npos);
  EXPECT_NE(refusal({path("*.txt")}).find("got a pattern without an image"), std::string::npos);
  EXPECT_NE(refusal({path("**/*.jpg")}).find("give the folder"), std::string::npos);
  EXPECT_NE(refusal({"@" + path("none.txt")}).find("got no file " + path("none.txt")), std::string::npos);
  write_file_atomically(folder_.path() / "empty.txt", " \n\n");
  EXPECT_NE(refusal({"@" + path("empty.txt")}).find("got an empty list"), std::string::npos);
  write_file_atomically(folder_.path() / "self.txt", "@" + path("self.txt"));
  EXPECT_NE(refusal({"@" + path("self.txt")}).find("got a list that names itself"), std::string::npos);
  EXPECT_NE(refusal({"-", "-"}).find("got standard input twice"), std::string::npos);
}

TEST(ListedCases, OfFormatsAndFoldersAndNames) {
  const fs::path cases = SSD_SOURCE_DIR "/../shared/cases/detect-folders";
  if (!fs::exists(cases)) GTEST_SKIP() << "shared/cases is not beside the source tree";
  const auto count = [&cases](const char* folder) {
    const ImageList list = list_images(std::vector{(cases / folder).string()});
    EXPECT_EQ(list.passed_over(), "");
    return list.files.size();
  };
  EXPECT_EQ(count("mixed"), 4u);
  EXPECT_EQ(count("top"), 2u);
  EXPECT_EQ(count("names"), 4u);
}

}  // namespace
}  // namespace ssd
