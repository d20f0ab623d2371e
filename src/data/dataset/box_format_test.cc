#include "data/dataset/box_format.h"

#include <gtest/gtest.h>

#include <array>

namespace ssd {
namespace {

using Kind = BoxFormat::Kind;

Kind kind_of(const std::vector<std::array<double, 4>>& boxes) {
  CocoFile coco;
  coco.images = {{.id = 1, .file_name = "a.jpg", .width = 640, .height = 480}};
  for (const auto& box : boxes) coco.annotations.push_back({.id = 1, .image_id = 1, .bbox = box});
  return guess_box_format(coco).kind;
}

TEST(BoxFormat, CornersAreToldWhereBoxesReachOutside) {
  EXPECT_EQ(kind_of({}), Kind::pixels);
  EXPECT_EQ(kind_of({{10, 20, 100, 200}, {300, 200, 340, 280}}), Kind::pixels);  // fit as they are
  EXPECT_EQ(kind_of({{10, 20, 100, 200}, {300, 200, 400, 300}}), Kind::corners);
  // One box that is too large is a fault of its own.
  EXPECT_EQ(kind_of({{10, 20, 100, 200}, {300, 200, 400, 300}, {400, 300, 50, 60}}), Kind::pixels);
  EXPECT_EQ(kind_of({{0.1, 0.2, 0.3, 0.4}}), Kind::normalized);
}

}  // namespace
}  // namespace ssd
