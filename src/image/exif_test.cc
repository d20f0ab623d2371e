#include "image/exif.h"

#include <gtest/gtest.h>

#include "testing/test_jpeg.h"

namespace ssd {
namespace {

TEST(Exif, ReadsTheTagInBothByteOrders) {
  for (int orientation = 1; orientation <= 8; ++orientation) {
    EXPECT_EQ(exif_orientation(exif_segment(orientation, true)), orientation);
    EXPECT_EQ(exif_orientation(exif_segment(orientation, false)), orientation);
  }
}

TEST(Exif, IsUprightWhereTheTagIsAbsentOrOdd) {
  EXPECT_EQ(exif_orientation({}), 1);
  EXPECT_EQ(exif_orientation(exif_segment(0, true)), 1);
  EXPECT_EQ(exif_orientation(exif_segment(9, false)), 1);
}

TEST(Exif, NeverReadsBeyondItsSegment) {
  const auto whole = exif_segment(6, false);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const std::vector<std::byte> cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    const int orientation = exif_orientation(cut);
    EXPECT_TRUE(orientation == 1 || orientation == 6);
  }
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (const int value : {0, 1, 0x7f, 0x80, 0xff}) {
      auto changed = whole;
      changed[at] = static_cast<std::byte>(value);
      const int orientation = exif_orientation(changed);
      EXPECT_GE(orientation, 1);
      EXPECT_LE(orientation, 8);
    }
  }
}

// TIFF 6.0, tag 274, says where the stored row 0 and column 0 are seen.
struct Seen {
  int orientation;
  char row_zero;  // t(op), b(ottom), l(eft), r(ight)
  char column_zero;
};

int along(char side, int index, int length) {
  return side == 't' || side == 'l' ? index : length - 1 - index;
}

TEST(Exif, OrientsImagesAsTheTiffTableSays) {
  const Image stored = test_image(7, 4);
  for (const Seen& seen : {Seen{1, 't', 'l'}, Seen{2, 't', 'r'}, Seen{3, 'b', 'r'}, Seen{4, 'b', 'l'},
                           Seen{5, 'l', 't'}, Seen{6, 'r', 't'}, Seen{7, 'r', 'b'}, Seen{8, 'l', 'b'}}) {
    const Orientation orientation = orientation_of_tag(seen.orientation);
    const Image out = oriented(stored, orientation);
    const bool upright = seen.row_zero == 't' || seen.row_zero == 'b';
    ASSERT_EQ(out.width, upright ? 7 : 4);
    ASSERT_EQ(out.height, upright ? 4 : 7);
    for (int row = 0; row < 4; ++row) {
      for (int column = 0; column < 7; ++column) {
        const int x = upright ? along(seen.column_zero, column, 7) : along(seen.row_zero, row, 4);
        const int y = upright ? along(seen.row_zero, row, 4) : along(seen.column_zero, column, 7);
        EXPECT_EQ(out.rgb[static_cast<std::size_t>(3 * (y * out.width + x))],
                  stored.rgb[static_cast<std::size_t>(3 * (row * 7 + column))])
            << seen.orientation;
        EXPECT_EQ(to_stored({x, y, x + 1, y + 1}, out.width, out.height, orientation),
                  (PixelRect{column, row, column + 1, row + 1}));
      }
    }
  }
}

}  // namespace
}  // namespace ssd
