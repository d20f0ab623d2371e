#include "data/loader/zoom_out.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace ssd {
namespace {

// Half of the canvases are the image; the others' sides are uniform over 1..4, so that quantile q is 1 + 3 q,
// and the image's place on them is uniform too.
TEST(ZoomOut, IsDistributedAsDefined) {
  constexpr int draws = 20000;
  int whole = 0;
  std::vector<double> sides, lefts, tops;
  for (std::uint64_t i = 0; i < draws; ++i) {
    Random random(5, 1, i);
    const Box canvas = random_zoom_out(random);
    if (canvas == Box{0, 0, 1, 1}) {
      ++whole;
      continue;
    }
    const double side = canvas.right - canvas.left;
    EXPECT_NEAR(canvas.bottom - canvas.top, side, 1e-5);
    EXPECT_LE(canvas.left, 0);
    EXPECT_GE(canvas.right, 0.9999f);
    sides.push_back(side);
    lefts.push_back(-canvas.left / (side - 1));
    tops.push_back(-canvas.top / (side - 1));
  }
  EXPECT_NEAR(static_cast<double>(whole) / draws, 0.5, 0.015);
  for (auto* values : {&sides, &lefts, &tops}) std::ranges::sort(*values);
  for (const double q : {0.05, 0.25, 0.5, 0.75, 0.95}) {
    const auto at = static_cast<std::size_t>(q * static_cast<double>(sides.size()));
    EXPECT_NEAR(sides[at], 1 + 3 * q, 0.06);
    EXPECT_NEAR(lefts[at], q, 0.02);
    EXPECT_NEAR(tops[at], q, 0.02);
  }
}

}  // namespace
}  // namespace ssd
