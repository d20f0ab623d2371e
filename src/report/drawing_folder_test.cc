#include "report/drawing_folder.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "storage/atomic_file.h"
#include "testing/temporary_folder.h"

namespace ssd {
namespace {

DetectedImage gray_image(const std::string& file) {
  return {.file = file,
          .width = 64,
          .height = 48,
          .objects = {{.left = 5,
                       .top = 5,
                       .right = 40,
                       .bottom = 40,
                       .label = 1,
                       .category = {7, "cell"},
                       .score = 0.9f}},
          .pixels = {64, 48, std::vector<std::uint8_t>(64 * 48 * 3, 128)}};
}

TEST(DrawingFolder, GivesImagesOfOneNameFilesOfTheirOwn) {
  const TemporaryFolder folder;
  DrawingFolder drawings(folder.path(), {});
  std::vector<std::string> names;
  for (const char* file : {"a.jpg", "x/a.jpg", "a-2.jpg", "b.jpeg"})
    names.push_back(drawings.draw(gray_image(file)).filename().string());
  EXPECT_EQ(names, (std::vector<std::string>{"a.png", "a-2.png", "a-2-2.png", "b.png"}));
  for (const std::string& name : names)
    EXPECT_GT(std::filesystem::file_size(folder.path() / name), 0u) << name;
}

TEST(DrawingFolder, ShortensNamesThatWouldBeTooLong) {
  const TemporaryFolder folder;
  DrawingFolder drawings(folder.path(), {});
  std::string umlauts;  // two bytes each
  for (int i = 0; i < 126; ++i) umlauts += "\xc3\xa4";
  for (const std::string& stem : {std::string(240, 'a'), std::string(253, 'b'), umlauts}) {
    for (const char* where : {"", "x/"}) {
      const std::filesystem::path drawing = drawings.draw(gray_image(where + stem + ".j"));
      EXPECT_LE(drawing.filename().string().size(), 255u);
      EXPECT_EQ(drawing.extension(), ".png");
      EXPECT_TRUE(std::filesystem::exists(drawing)) << drawing;
    }
  }
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 6);
}

TEST(DrawingFolder, ReplacesALinkAndNotWhatItLeadsTo) {
  const TemporaryFolder folder;
  write_file_atomically(folder.path() / "other", "kept");
  std::filesystem::create_symlink(folder.path() / "other", folder.path() / "a.png");
  DrawingFolder drawings(folder.path(), {});
  drawings.draw(gray_image("a.jpg"));
  EXPECT_FALSE(std::filesystem::is_symlink(folder.path() / "a.png"));
  EXPECT_EQ(std::filesystem::file_size(folder.path() / "other"), 4u);
}

TEST(DrawingFolder, ReplacesNoImageOfTheUsers) {
  const TemporaryFolder folder;
  const std::vector<std::string> images{folder.path() / "a.png"};
  DrawingFolder drawings(folder.path(), images);
  EXPECT_EQ(drawings.draw(gray_image(images[0])).filename(), "a-2.png");
}

TEST(DrawingFolder, DrawsTheObjects) {
  const TemporaryFolder folder;
  DrawingFolder drawings(folder.path(), {});
  DetectedImage empty = gray_image("empty.jpg");
  empty.objects.clear();
  // A box with its tag takes more bytes than a plain area.
  EXPECT_GT(std::filesystem::file_size(drawings.draw(gray_image("full.jpg"))),
            std::filesystem::file_size(drawings.draw(empty)));
}

TEST(DrawingFolder, RefusesAnImageWithoutPixels) {
  const TemporaryFolder folder;
  DrawingFolder drawings(folder.path(), {});
  DetectedImage image = gray_image("a.jpg");
  image.pixels = {};
  EXPECT_THROW(drawings.draw(image), Error);
}

}  // namespace
}  // namespace ssd
