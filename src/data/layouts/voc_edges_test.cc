#include "data/layouts/voc_edges.h"

#include <gtest/gtest.h>

#include <cmath>

#include "data/layouts/voc.h"
#include "testing/import_folder.h"

namespace ssd {
namespace {

class VocEdgesTest : public FolderTest {
 protected:
  // Of one object, in an image of 40 x 30.
  ForeignSet read(const std::string& shape) const {
    write_jpeg("a.jpg", 40, 30);
    write("a.xml", "<annotation><filename>a.jpg</filename><object><name>cat</name>" + shape +
                       "</object></annotation>");
    return read_voc(root_);
  }
  std::array<double, 4> box_of(const std::string& shape) const {
    return read(shape).images.at(0).boxes.at(0).bbox;
  }
};

TEST_F(VocEdgesTest, APolygonOrARotatedBoxHasItsExtent) {
  const std::array<double, 4> expected{2, 3, 10, 20};
  EXPECT_EQ(box_of("<polygon><x1>2</x1><y1>5</y1><x2>12</x2><y2>3</y2><x3>9</x3><y3>23</y3></polygon>"),
            expected);
  EXPECT_EQ(box_of("<polygon><username>me</username><pt><x>2</x><y>23</y></pt><pt><x>12</x><y>3</y></pt>"
                   "<pt><x>5</x><y>4</y></pt></polygon>"),
            expected);
  EXPECT_EQ(read("<polygon><x1>2</x1><y1>5</y1><x2>12</x2><y2>3</y2></polygon>")
                .notes.at(ForeignNote::polygon_boxed)
                .size(),
            1u);
  // A quarter turn; an eighth of a square of 10.
  const double half_turn = std::acos(0.0);
  const auto turned = box_of(fmt::format(
      "<robndbox><cx>20</cx><cy>15</cy><w>10</w><h>4</h><angle>{}</angle></robndbox>", half_turn));
  const std::array<double, 4> upright{18, 10, 4, 10};
  for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR(turned[i], upright[i], 1e-9);
  const auto diamond = box_of(fmt::format(
      "<robndbox><cx>20</cx><cy>15</cy><w>10</w><h>10</h><angle>{}</angle></robndbox>", half_turn / 2));
  EXPECT_NEAR(diamond[2], std::sqrt(200.0), 1e-9);
  EXPECT_NEAR(diamond[0], 20 - std::sqrt(50.0), 1e-9);
}

TEST_F(VocEdgesTest, TheBoxGoesBeforeTheShapeAndPartsAreNoObjects) {
  EXPECT_EQ(box_of("<polygon><x1>1</x1><y1>1</y1><x2>30</x2><y2>20</y2></polygon><part><name>head</"
                   "name><bndbox><xmin>9</"
                   "xmin><ymin>9</ymin><xmax>12</xmax><ymax>12</ymax></bndbox></part><bndbox><ymax>23.5</"
                   "ymax><xmax>12</"
                   "xmax><ymin>3</ymin><xmin>2.25</xmin></bndbox>"),
            (std::array<double, 4>{2.25, 3, 9.75, 20.5}));
}

TEST_F(VocEdgesTest, OfSeveralBoxesOfAnObjectTheFirstIsTakenAndTheOthersAreNamed) {
  const auto box = [](int at) {
    return fmt::format("<bndbox><xmin>{0}</xmin><ymin>{0}</ymin><xmax>{1}</xmax><ymax>{1}</ymax></bndbox>",
                       at, at + 5);
  };
  const ForeignSet set = read(box(2) + box(12));
  ASSERT_EQ(set.images.at(0).boxes.size(), 1u);
  EXPECT_EQ(set.images[0].boxes[0].bbox, (std::array<double, 4>{2, 2, 5, 5}));
  ASSERT_EQ(set.notes.at(ForeignNote::object_unreadable).size(), 1u);
  EXPECT_TRUE(contains(set.notes.at(ForeignNote::object_unreadable)[0], "a.xml: <cat> has several <bndbox>"));
}

TEST_F(VocEdgesTest, AnObjectThatLiesNowhereIsNamed) {
  for (const char* shape : {"", "<polygon/>", "<polygon><x1>2</x1></polygon>",
                            "<robndbox><cx>2</cx></robndbox>", "<polygon><x1>a</x1><y1>2</y1></polygon>"})
    EXPECT_EQ(read(shape).notes.at(ForeignNote::object_unreadable).size(), 1u) << shape;
  const ForeignSet reversed =
      read("<bndbox><xmin>12</xmin><ymin>3</ymin><xmax>2</xmax><ymax>9</ymax></bndbox>");
  EXPECT_EQ(reversed.notes.at(ForeignNote::box_without_size),
            (std::vector<std::string>{"a.xml: <cat> at 12, 3 to 2, 9"}));
}

TEST_F(VocEdgesTest, ClassesInOtherCapitalsAreNotedAndStayApart) {
  const std::string box = "<bndbox><xmin>1</xmin><ymin>3</ymin><xmax>9</xmax><ymax>9</ymax></bndbox>";
  const ForeignSet set = read(box + "</object><object><name>Cat</name>" + box);
  EXPECT_EQ(set.classes, (std::vector<std::string>{"Cat", "cat"}));
  EXPECT_EQ(set.notes.at(ForeignNote::classes_alike), (std::vector<std::string>{"Cat and cat"}));
}

}  // namespace
}  // namespace ssd
