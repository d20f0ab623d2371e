#include "data/dataset/coco_segmentation.h"

#include <gtest/gtest.h>

#include <string>

namespace ssd {
namespace {

using Box = std::array<double, 4>;

TEST(CocoSegmentation, TheBoxOfPolygonsIsTheirExtent) {
  EXPECT_EQ(box_of_segmentation("[[1.5, 2, 10, 2.25, 4, 12]]"), (Box{1.5, 2, 8.5, 10}));
  EXPECT_EQ(box_of_segmentation("[[5, 5, 6, 5, 6, 6], [1, 8, 2, 8, 2, 9, 1, 9]]"), (Box{1, 5, 5, 4}));
  EXPECT_EQ(box_of_segmentation("[1, 2, 11, 2, 11, 7]"), (Box{1, 2, 10, 5}));  // one without its list
  // A part that is no polygon costs that part.
  EXPECT_EQ(box_of_segmentation("[[1, 2, 3], [0, 0, 900, 900], [5, 5, 6, 5, 6, 6]]"), (Box{5, 5, 1, 1}));
}

// Masks and boxes of pycocotools 2.0.11: encode(), frPyObjects() and toBbox().
TEST(CocoSegmentation, TheBoxOfAMaskIsThatOfPycocotools) {
  EXPECT_EQ(box_of_segmentation(R"({"size": [7, 5], "counts": "92?OI"})"), (Box{1, 2, 3, 4}));
  EXPECT_EQ(box_of_segmentation(R"({"counts": [9, 2, 15, 1, 8], "size": [7, 5]})"), (Box{1, 2, 3, 4}));
  EXPECT_EQ(box_of_segmentation(R"({"size": [4, 6], "counts": [6, 5, 13]})"), (Box{1, 0, 2, 4}));
  EXPECT_EQ(box_of_segmentation(R"({"size": [4, 6], "counts": [0, 24]})"), (Box{0, 0, 6, 4}));
  EXPECT_EQ(
      box_of_segmentation(R"({"size": [40, 30], "counts": "U7110<080g20bN0d30hN0gK0_10dN0;0d10C0^N0^7"})"),
      (Box{5, 5, 19, 35}));
}

TEST(CocoSegmentation, WhatCoversNothingHasNoBox) {
  for (const char* text :
       {"", "[]", "[[]]", "{}", "null", "[[1, 2, 3, 4]]", "[[1, 2, 1, 9, 1, 4]]", R"([["1", 2, 3, 4, 5, 6]])",
        R"({"size": [7, 5], "counts": "S1"})", R"({"size": [7, 5], "counts": []})",
        R"({"size": [4, 6], "counts": [6, 50]})", R"({"size": [4, 6], "counts": [6, -2, 3, 4]})",
        R"({"size": [0, 5], "counts": [1]})", R"({"size": [4], "counts": [1, 2]})",
        R"({"size": [4, 4], "counts": 5})", R"({"size": [40, 30], "counts": "oooooooooooooooooooo"})",
        "[[1, 2, 3, NaN, 5, 6]]"})
    EXPECT_EQ(box_of_segmentation(text), std::nullopt) << text;
}

}  // namespace
}  // namespace ssd
