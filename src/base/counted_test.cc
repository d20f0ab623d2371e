#include "base/counted.h"

#include <gtest/gtest.h>

namespace ssd {
namespace {

TEST(Counted, ATextIsInTheNumberOfItsCount) {
  EXPECT_EQ(counted(1, "box[es] [was|were] left out"), "1 box was left out");
  EXPECT_EQ(counted(0, "box[es] [was|were] left out"), "0 boxes were left out");
  EXPECT_EQ(counted(2, "categor[y|ies] [has|have] no name and [is|are] called by [its id|their ids]"),
            "2 categories have no name and are called by their ids");
  EXPECT_EQ(in_number(1, "image[s]"), "image");
  EXPECT_EQ(in_number(2, "no brackets"), "no brackets");
  EXPECT_EQ(in_number(2, "half of [one"), "half of [one");
}

}  // namespace
}  // namespace ssd
