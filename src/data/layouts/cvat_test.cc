#include "data/layouts/cvat.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "testing/import_folder.h"

namespace ssd {
namespace {

namespace fs = std::filesystem;

class CvatTest : public FolderTest {
 protected:
  ForeignSet read(const std::string& images, const std::string& meta = "") const {
    write("annotations.xml",
          "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<annotations>\n<version>1.1</version>" + meta +
              images + "</annotations>");
    return read_cvat(root_);
  }
};

const std::string labels =
    "<meta><task><labels><label><name>dog</name></label><label><name>cat</name></label></labels></task></"
    "meta>";

TEST_F(CvatTest, BoxesAreInPixelsAndLabelsInTheTasksOrder) {
  write_jpeg("images/a.jpg", 40, 30);
  const ForeignSet set = read(
      "<image id='0' name='a.jpg' width='40' height='30'>"
      "<box label='cat' xtl='1.5' ytl='2' xbr='11' ybr='22'/><tag label='dog'/></image>",
      labels);
  EXPECT_EQ(set.classes, (std::vector<std::string>{"dog", "cat"}));
  ASSERT_EQ(set.images.size(), 1u);
  ASSERT_EQ(set.images[0].boxes.size(), 1u);
  EXPECT_EQ(set.images[0].boxes[0].category, "cat");
  EXPECT_EQ(set.images[0].boxes[0].bbox, (std::array<double, 4>{1.5, 2, 9.5, 20}));
  EXPECT_TRUE(set.notes.empty());
}

TEST_F(CvatTest, OtherShapesGiveTheirBoundingBoxes) {
  write_jpeg("a.jpg", 40, 30);
  const ForeignSet set = read(
      "<image id='0' name='a.jpg' width='40' height='30'>"
      "<polygon label='cat' points='1,2;5.5,2;3,8'/>"
      "<box label='cat' xtl='10' ytl='10' xbr='20' ybr='14' rotation='90'/>"
      "<ellipse label='cat' cx='20' cy='10' rx='4' ry='2' rotation='90'/>"
      "<cuboid label='cat' xtl1='4' ytl1='5' xbl1='4' ybl1='9' xtr1='8' ytr1='5' xbr1='8' ybr1='9' xtl2='6' "
      "ytl2='3' xbl2='6' ybl2='7' xtr2='11' ytr2='3' xbr2='11' ybr2='7'/>"
      "<skeleton label='cat'><points label='1' points='3,4'/><points label='2' "
      "points='7,10'/></skeleton></image>");
  ASSERT_EQ(set.images.at(0).boxes.size(), 5u);
  EXPECT_EQ(set.images[0].boxes[3].bbox, (std::array<double, 4>{4, 3, 7, 6}));
  EXPECT_EQ(set.images[0].boxes[4].bbox, (std::array<double, 4>{3, 4, 4, 6}));
  EXPECT_EQ(set.images[0].boxes[0].bbox, (std::array<double, 4>{1, 2, 4.5, 6}));
  const std::array<double, 4> turned{13, 7, 4, 10}, ellipse{18, 6, 4, 8};
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_NEAR(set.images[0].boxes[1].bbox[i], turned[i], 1e-9);
    EXPECT_NEAR(set.images[0].boxes[2].bbox[i], ellipse[i], 1e-9);
  }
  EXPECT_EQ(set.notes.at(ForeignNote::polygon_boxed).size(), 5u);
  EXPECT_EQ(set.classes, (std::vector<std::string>{"cat"}));
}

TEST_F(CvatTest, WhatCannotBeUsedIsNamedAndCostsItself) {
  write_jpeg("a.jpg", 40, 30);
  write_jpeg("b.jpg", 40, 30);
  const ForeignSet set = read(
      "<image id='0' name='a.jpg' width='40' height='30'>\n<box label='cat' xtl='one' ytl='2' xbr='3' "
      "ybr='4'/>\n"
      "<polygon label='cat' points='1,2;x'/><cuboid label='cat'/><box label='cat' xtl='5' ytl='5' xbr='5' "
      "ybr='9'/>"
      "<box label='cat' xtl='1' ytl='2' xbr='3' ybr='4'/></image><image id='1' name='gone.jpg'/>");
  EXPECT_EQ(set.images.at(0).boxes.size(), 1u);
  const auto& faults = set.notes.at(ForeignNote::object_unreadable);
  ASSERT_EQ(faults.size(), 3u);
  EXPECT_TRUE(contains(faults[0], "annotations.xml:4: <box> got xtl=\"one\", expected a number"))
      << faults[0];
  EXPECT_EQ(set.notes.at(ForeignNote::box_without_size).size(), 1u);
  EXPECT_EQ(set.notes.at(ForeignNote::annotation_without_image).at(0), "annotations.xml: image gone.jpg");
  EXPECT_EQ(set.notes.at(ForeignNote::image_without_annotation).at(0), "b.jpg");
}

TEST_F(CvatTest, SubsetsAreSplitsAndVideosAreRefused) {
  write_jpeg("a.jpg", 40, 30);
  write_jpeg("b.jpg", 40, 30);
  const ForeignSet set =
      read("<image name='a.jpg' subset='Validation'/><image name='b.jpg' subset='Train'/>");
  EXPECT_EQ(set.images.at(0).split, ForeignSplit::val);
  EXPECT_EQ(set.images.at(1).split, ForeignSplit::train);
  EXPECT_TRUE(contains(message_of([&] { read("<track id='0' label='cat'/>"); }), "export the task as"));
  fs::remove(root_ / "annotations.xml");
  EXPECT_TRUE(contains(message_of([&] { read_cvat(root_); }), "got no XML of CVAT"));
}

}  // namespace
}  // namespace ssd
