#include "verify/verify.h"

#include <gtest/gtest.h>

#include <cmath>

#include "verify/largest.h"

namespace ssd {
namespace {

TEST(Largest, IsTheLargestErrorAndItsPlace) {
  Largest largest("quantity", 0.5);
  largest.add(0.1, "first");
  largest.add(0.4, "second");
  largest.add(0.2, "third");
  EXPECT_EQ(largest.row().error, 0.4);
  EXPECT_EQ(largest.row().where, "second");
  EXPECT_EQ(largest.median(), 0.2);
  EXPECT_TRUE(largest.row().ok());
}

TEST(Largest, ANaNStaysWhateverComesAfterIt) {
  Largest largest("quantity", 0.5);
  largest.add(NAN, "here");
  for (const double error : {0.1, 0.2, 0.3, 0.4}) largest.add(error, "elsewhere");
  EXPECT_FALSE(largest.row().ok());
  EXPECT_EQ(largest.row().where, "here");
  EXPECT_TRUE(std::isnan(largest.median()));
}

}  // namespace
}  // namespace ssd
