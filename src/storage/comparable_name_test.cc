#include "storage/comparable_name.h"

#include <gtest/gtest.h>

namespace ssd {
namespace {

// The bytes of u-umlaut and of Hangul "ga" are those of Unicode's tables, composed and decomposed.
TEST(ComparableName, CapitalsAndNormalFormsDoNotCount) {
  EXPECT_EQ(comparable_name("IMG_1.JPG"), comparable_name("img_1.jpg"));
  EXPECT_EQ(comparable_name("M\xc3\xbcller.jpg"), comparable_name("Mu\xcc\x88ller.jpg"));
  EXPECT_EQ(comparable_name("M\xc3\x9cLLER.JPG"), comparable_name("mu\xcc\x88ller.jpg"));
  EXPECT_EQ(comparable_name("\xea\xb0\x80"), comparable_name("\xe1\x84\x80\xe1\x85\xa1"));
  EXPECT_NE(comparable_name("Muller.jpg"), comparable_name("M\xc3\xbcller.jpg"));
}

TEST(ComparableName, BytesThatAreNoUtf8Stay) {
  EXPECT_EQ(comparable_name("CAF\xc9.JPG"), "caf\xc9.jpg");
  EXPECT_EQ(comparable_name(""), "");
}

}  // namespace
}  // namespace ssd
