#include "report/drawing_folder.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "image/format.h"
#include "storage/atomic_file.h"
#include "storage/file_bytes.h"
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
                       .score = 0.9f}}};
}

const Image pixels{64, 48, std::vector<std::uint8_t>(64 * 48 * 3, 128)};

// Draws the image under a name of its own, which it returns.
std::string drawn(DrawingFolder& drawings, DetectedImage image) {
  image.drawing = drawings.name(image.file);
  drawings.draw(image, pixels);
  return image.drawing;
}

TEST(DrawingFolder, GivesImagesOfOneNameFilesOfTheirOwn) {
  const TemporaryFolder folder;
  DrawingFolder drawings(folder.path(), {}, DrawingFormat::png);
  std::vector<std::string> names;
  for (const char* file : {"a.jpg", "x/a.jpg", "a-2.jpg", "b.jpeg"})
    names.push_back(drawn(drawings, gray_image(file)));
  EXPECT_EQ(names, (std::vector<std::string>{"a.png", "a-2.png", "a-2-2.png", "b.png"}));
  for (const std::string& name : names)
    EXPECT_GT(std::filesystem::file_size(folder.path() / name), 0u) << name;
}

TEST(DrawingFolder, ShortensNamesThatWouldBeTooLong) {
  const TemporaryFolder folder;
  DrawingFolder drawings(folder.path(), {}, DrawingFormat::png);
  std::string umlauts;  // two bytes each
  for (int i = 0; i < 126; ++i) umlauts += "\xc3\xa4";
  for (const std::string& stem : {std::string(240, 'a'), std::string(253, 'b'), umlauts}) {
    for (const char* where : {"", "x/"}) {
      const std::filesystem::path drawing = drawn(drawings, gray_image(where + stem + ".j"));
      EXPECT_LE(drawing.string().size(), 255u);
      EXPECT_EQ(drawing.extension(), ".png");
      EXPECT_TRUE(std::filesystem::exists(folder.path() / drawing)) << drawing;
    }
  }
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 6);
}

TEST(DrawingFolder, ReplacesALinkAndNotWhatItLeadsTo) {
  const TemporaryFolder folder;
  write_file_atomically(folder.path() / "other", "kept");
  std::filesystem::create_symlink(folder.path() / "other", folder.path() / "a.png");
  DrawingFolder drawings(folder.path(), {}, DrawingFormat::png);
  drawn(drawings, gray_image("a.jpg"));
  EXPECT_FALSE(std::filesystem::is_symlink(folder.path() / "a.png"));
  EXPECT_EQ(std::filesystem::file_size(folder.path() / "other"), 4u);
}

TEST(DrawingFolder, ReplacesNoImageOfTheUsers) {
  const TemporaryFolder folder;
  const std::vector<std::string> images{folder.path() / "a.png"};
  DrawingFolder drawings(folder.path(), images, DrawingFormat::png);
  EXPECT_EQ(drawn(drawings, gray_image(images[0])), "a-2.png");
}

TEST(DrawingFolder, DrawsTheObjects) {
  const TemporaryFolder folder;
  DrawingFolder drawings(folder.path(), {}, DrawingFormat::png);
  DetectedImage empty = gray_image("empty.jpg");
  empty.objects.clear();
  // A box with its tag takes more bytes than a plain area.
  EXPECT_GT(std::filesystem::file_size(folder.path() / drawn(drawings, gray_image("full.jpg"))),
            std::filesystem::file_size(folder.path() / drawn(drawings, empty)));
}

TEST(DrawingFolder, RefusesAnImageWithoutPixels) {
  const TemporaryFolder folder;
  DrawingFolder drawings(folder.path(), {}, DrawingFormat::png);
  DetectedImage image = gray_image("a.jpg");
  image.drawing = drawings.name(image.file);
  EXPECT_THROW(drawings.draw(image, {}), Error);
}

TEST(DrawingFolder, WritesJpegWhereItIsAskedFor) {
  const TemporaryFolder folder;
  DrawingFolder drawings(folder.path(), {}, DrawingFormat::jpeg);
  const std::string name = drawn(drawings, gray_image("a.png"));
  EXPECT_EQ(name, "a.jpg");
  std::vector<std::byte> buffer;
  const auto bytes = read_file((folder.path() / name).string(), buffer);
  ASSERT_NE(format_of(bytes), nullptr);
  EXPECT_EQ(std::string_view(format_of(bytes)->name), "JPEG");
  const Image image = decode_image(bytes);
  ASSERT_EQ(image.width, 64);
  ASSERT_EQ(image.height, 48);
  const auto at = [&](int x, int y) { return &image.rgb[static_cast<std::size_t>(3 * (y * 64 + x))]; };
  for (int channel = 0; channel < 3; ++channel) EXPECT_NEAR(at(60, 44)[channel], 128, 3);
  EXPECT_GT(std::abs(at(5, 30)[0] - 128) + std::abs(at(5, 30)[2] - 128), 40) << "the outline's colour";
}

}  // namespace
}  // namespace ssd
