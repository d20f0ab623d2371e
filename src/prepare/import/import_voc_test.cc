#include <gtest/gtest.h>

#include <map>
#include <set>
#include <tuple>

#include "prepare/import/import_test.h"

namespace ssd {
namespace {

namespace fs = std::filesystem;

struct VocBox {
  std::string name;
  std::array<int, 4> corners;
  bool difficult = false;
};

std::string voc_xml(const std::string& image, int width, int height, const std::vector<VocBox>& boxes) {
  std::string xml = fmt::format(
      "<annotation>\n<filename>{}</filename>\n<size><width>{}</width><height>{}</height></size>\n", image,
      width, height);
  for (const VocBox& box : boxes) {
    const auto& [a, b, c, d] = box.corners;
    xml += fmt::format(
        "<object><name>{}</name><difficult>{}</difficult>\n<bndbox><xmin>{}</xmin><ymin>{}</ymin><xmax>{}</"
        "xmax>"
        "<ymax>{}</ymax></bndbox></object>\n",
        box.name, int{box.difficult}, a, b, c, d);
  }
  return xml + "</annotation>\n";
}

class VocTest : public ImportTest {
 protected:
  void add(const std::string& image, const std::string& xml, const std::vector<VocBox>& boxes) const {
    write_jpeg(image, 40, 30);
    write(xml, voc_xml(fs::path(image).filename(), 40, 30, boxes));
  }
  ImportReport import(const VocOptions& options = {}) const {
    return import_voc(root_ / "src", root_ / "dst", options);
  }
};

using BoxKey = std::tuple<std::string, std::string, double, double, double, double, double>;

std::multiset<BoxKey> boxes_of(const CocoFile& coco) {
  std::map<std::int64_t, std::string> file_names, classes;
  for (const CocoImage& image : coco.images) file_names[image.id] = image.file_name;
  for (const CocoCategory& category : coco.categories) classes[category.id] = category.name;
  std::multiset<BoxKey> boxes;
  for (const CocoAnnotation& a : coco.annotations) {
    boxes.emplace(file_names.at(a.image_id), classes.at(a.category_id), a.bbox[0], a.bbox[1], a.bbox[2],
                  a.bbox[3], a.area);
  }
  return boxes;
}

TEST_F(VocTest, BloodCellsBecomeTheCocoFilesMadeOfThem) {
  const fs::path cells = fs::path(SSD_SOURCE_DIR) / "../shared/data/bccd";
  if (!fs::exists(cells)) GTEST_SKIP() << cells << " is not there";
  const ImportReport report = import_voc(cells, root_ / "dst");
  EXPECT_EQ(report.splits_from, "lists: train + val + trainval for training, test for validation");
  EXPECT_EQ(report.linked + report.copied, 364u);
  EXPECT_EQ(report.notes.at(ForeignNote::box_without_size).size(), 2u);
  EXPECT_EQ(report.notes.size(), 1u) << report.to_text();
  for (const auto& [split, reference] : {std::pair("train2017", "train"), std::pair("val2017", "test")}) {
    const CocoFile ours = coco(split);
    const CocoFile theirs = read_coco(cells / "annotations" / fmt::format("instances_{}.json", reference));
    EXPECT_EQ(boxes_of(ours), boxes_of(theirs));
    ASSERT_EQ(ours.images.size(), theirs.images.size());
    for (std::size_t i = 0; i < ours.images.size(); ++i) {
      EXPECT_EQ(ours.images[i].id, theirs.images[i].id);
      EXPECT_EQ(ours.images[i].file_name, theirs.images[i].file_name);
      EXPECT_EQ(ours.images[i].width, theirs.images[i].width);
      EXPECT_EQ(ours.images[i].height, theirs.images[i].height);
    }
    EXPECT_EQ(names(split).size(), theirs.images.size());
  }
  EXPECT_EQ(coco("train2017").annotations.size(), 3941u);
  EXPECT_EQ(coco("val2017").annotations.front().id, 3942);
}

TEST_F(VocTest, TakesAnyPairOfFolders) {
  for (int i = 0; i < 20; ++i) {
    add(fmt::format("src/photos/day 1/{}.jpeg", i), fmt::format("src/labels/{}.xml", i),
        {{"cat", {1, 2, 11, 22}}});
  }
  VocOptions options;
  options.common.val_share = 0.25;
  const ImportReport report = import(options);
  EXPECT_EQ(report.train.images, 15u);
  EXPECT_EQ(report.val.images, 5u);
  EXPECT_EQ(report.linked, 20u);
  EXPECT_EQ(fs::hard_link_count(root_ / "src/photos/day 1/3.jpeg"), 2u);
  const auto first = names("val2017");
  fs::remove_all(root_ / "dst");
  import(options);
  EXPECT_EQ(names("val2017"), first);
  fs::remove_all(root_ / "dst");
  options.common.seed = 7;
  import(options);
  EXPECT_NE(names("val2017"), first);
}

TEST_F(VocTest, NeverReplacesAnImage) {
  // The images lie where the COCO folder has them, and an image of another name is in the way.
  add("src/train2017/a.jpg", "src/train2017/a.xml", {{"cat", {1, 2, 11, 22}}});
  VocOptions options;
  options.common.val_share = 0;
  const auto bytes = fs::file_size(root_ / "src/train2017/a.jpg");
  const ImportReport report = import_voc(root_ / "src/train2017", root_ / "src", options);
  EXPECT_EQ(report.present, 1u);
  EXPECT_EQ(report.linked + report.copied, 0u);
  EXPECT_EQ(fs::file_size(root_ / "src/train2017/a.jpg"), bytes);
  EXPECT_EQ(read_coco(root_ / "src/annotations/instances_train2017.json").images.size(), 1u);

  fs::create_directories(root_ / "other/train2017");
  std::ofstream(root_ / "other/train2017/a.jpg") << "somebody's";
  EXPECT_THROW(import_voc(root_ / "src/train2017", root_ / "other", options), Error);
  EXPECT_EQ(fs::file_size(root_ / "other/train2017/a.jpg"), 10u);
}

TEST_F(VocTest, ListsDecideAndOtherTasksListsDoNot) {
  for (const char* name : {"a", "b", "c", "d"}) {
    add(fmt::format("src/VOC2012/JPEGImages/{}.jpg", name),
        fmt::format("src/VOC2012/Annotations/{}.xml", name), {{"cat", {1, 2, 11, 22}}});
  }
  write("src/VOC2012/ImageSets/Main/train.txt", "a\nb\nmissing\n");
  write("src/VOC2012/ImageSets/Main/val.txt", "c\n");
  write("src/VOC2012/ImageSets/Main/cat_train.txt", "a  1\nb -1\n");
  write("src/VOC2012/ImageSets/Segmentation/val.txt", "a\n");
  const ImportReport report = import();
  EXPECT_EQ(names("train2017"), (std::set<std::string>{"a.jpg", "b.jpg"}));
  EXPECT_EQ(names("val2017"), (std::set<std::string>{"c.jpg"}));
  EXPECT_EQ(report.notes.at(ForeignNote::listed_without_image)[0],
            "VOC2012/ImageSets/Main/train.txt: missing");
  EXPECT_EQ(report.notes.at(ForeignNote::image_in_no_split).size(), 1u);
}

TEST_F(VocTest, ListsOfClassesDecideWhereThereAreNoOthers) {
  for (const std::string name : {"a", "b", "c"})
    add("src/JPEGImages/" + name + ".jpg", "src/Annotations/" + name + ".xml", {{"cat", {1, 2, 11, 22}}});
  write("src/ImageSets/Main/cat_train.txt", "a  1\nb -1\n");
  write("src/ImageSets/Main/cat_val.txt", "c -1\n");
  import();
  EXPECT_EQ(names("train2017"), (std::set<std::string>{"a.jpg", "b.jpg"}));
  EXPECT_EQ(names("val2017"), (std::set<std::string>{"c.jpg"}));
}

TEST_F(VocTest, FoldersDecideWhereThereAreNoLists) {
  add("src/train/a.jpg", "src/train/a.xml", {{"cat", {1, 2, 11, 22}}});
  add("src/valid/b.jpg", "src/valid/b.xml", {{"cat", {1, 2, 11, 22}}});
  add("src/test/a.jpg", "src/test/a.xml", {{"dog", {1, 2, 11, 22}}});
  import();
  // The two images of one name keep apart.
  EXPECT_EQ(names("train2017"), (std::set<std::string>{"train_a.jpg"}));
  EXPECT_EQ(names("val2017"), (std::set<std::string>{"b.jpg"}));
}

TEST_F(VocTest, TheNearestImageOfAnAnnotationsNameIsTaken) {
  add("src/train/a.jpeg", "src/train/a.xml", {{"cat", {1, 2, 11, 22}}});
  add("src/val/a.jpg", "src/val/a.xml", {{"dog", {1, 2, 11, 22}}});
  import();
  EXPECT_EQ(names("train2017"), (std::set<std::string>{"a.jpeg"}));
  EXPECT_EQ(names("val2017"), (std::set<std::string>{"a.jpg"}));
}

TEST_F(VocTest, AnAnnotationWithoutItsImageTakesNoOthersAndIsNoted) {
  add("src/train/a.jpg", "src/train/a.xml", {{"cat", {1, 2, 11, 22}}});
  write("src/val/a.xml", voc_xml("a.jpg", 40, 30, {{"dog", {1, 2, 11, 22}}}));
  write("src/early/a.xml", voc_xml("a.jpg", 40, 30, {{"dog", {1, 2, 11, 22}}}));
  const ImportReport report = import();
  EXPECT_EQ(report.train.images + report.val.images, 1u);
  EXPECT_EQ(report.classes.at(0).name, "cat");
  const ForeignNotes::Places& notes = report.notes.at(ForeignNote::annotation_without_image);
  EXPECT_EQ(notes.size(), 2u);
  EXPECT_TRUE(contains(notes.at(0), "early/a.xml (train/a.jpg has train/a.xml)")) << notes.at(0);
}

TEST_F(VocTest, ABadXmlIsNotedAndTheOthersComeIn) {
  add("src/a.jpg", "src/a.xml", {{"cat", {1, 2, 11, 22}}});
  write_jpeg("src/b.jpg", 40, 30);
  write("src/b.xml", "<annotation><size>");
  const ImportReport report = import();
  EXPECT_EQ(report.train.images + report.val.images, 1u);
  EXPECT_TRUE(contains(report.notes.at(ForeignNote::annotation_unreadable).at(0), "b.xml:1: "));
}

TEST_F(VocTest, ConventionsOfPixelsAndDifficultBoxes) {
  add("src/a.jpg", "src/a.xml", {{"cat", {1, 1, 40, 30}}, {"dog", {5, 6, 7, 8}, true}});
  add("src/b.jpg", "src/b.xml", {{"cat", {1, 1, 40, 30}}, {"cat", {4, 4, 4, 9}}, {"cat", {4, 9, 8, 4}}});
  const ImportReport as_written = import();
  EXPECT_EQ(as_written.notes.at(ForeignNote::box_without_size).size(), 2u);
  EXPECT_EQ(as_written.classes[1].name, "dog");
  const auto bbox = [&] { return coco("train2017").annotations.at(0).bbox; };
  EXPECT_EQ(bbox(), (std::array<double, 4>{1, 1, 39, 29}));
  fs::remove_all(root_ / "dst");
  VocOptions options;
  options.pixels = VocOptions::Pixels::one_based;
  options.difficult = VocOptions::Difficult::leave_out;
  options.common.classes = {"zebra", "cat"};
  const ImportReport one_based = import(options);
  EXPECT_EQ(one_based.notes.at(ForeignNote::box_difficult).size(), 1u);
  EXPECT_EQ(one_based.notes.at(ForeignNote::box_without_size).size(), 1u);  // 4..4 is one pixel wide
  EXPECT_EQ(bbox(), (std::array<double, 4>{0, 0, 40, 30}));
  EXPECT_EQ(coco("train2017").annotations.at(0).category_id, 2);
}

TEST_F(VocTest, LeavesOutWhatCannotBeUsedAndSaysSo) {
  add("src/a.jpg", "src/a.xml", {{"cat", {1, 2, 60, 22}}});
  add("src/b.jpg", "src/b.xml", {});
  add("src/.trash/h.jpg", "src/.trash/h.xml", {});
  write("src/c.xml", voc_xml("c.jpg", 40, 30, {}));
  write_jpeg("src/d.jpg", 40, 30);
  write("src/e.jxl", "JXL");
  write("src/e.xml", voc_xml("e.jxl", 40, 30, {}));
  write("src/f.jpg", "no jpeg at all");
  write("src/f.xml", voc_xml("f.jpg", 40, 30, {}));
  write_jpeg("src/g.jpg", 40, 30);
  write("src/g.xml", voc_xml("g.jpg", 41, 30, {}));
  write("src/project.xml", "<project/>");
  const ImportReport report = import();
  EXPECT_EQ(report.train.images + report.val.images, 3u);  // a, b, g
  const auto places = [&](ForeignNote note) { return report.notes.at(note); };
  EXPECT_EQ(places(ForeignNote::annotation_without_image), (std::vector<std::string>{"c.xml"}));
  EXPECT_EQ(places(ForeignNote::image_without_annotation), (std::vector<std::string>{"d.jpg"}));
  EXPECT_EQ(places(ForeignNote::image_of_other_format), (std::vector<std::string>{"e.jxl"}));
  EXPECT_TRUE(contains(places(ForeignNote::image_unreadable).at(0), "f.jpg"));
  EXPECT_EQ(places(ForeignNote::size_differs), (std::vector<std::string>{"g.xml"}));
  EXPECT_EQ(places(ForeignNote::not_an_annotation), (std::vector<std::string>{"project.xml"}));
  EXPECT_EQ(places(ForeignNote::box_over_edge), (std::vector<std::string>{"a.xml"}));
  EXPECT_TRUE(contains(report.to_text(), "1 image left out: not JPEG, PNG, ")) << report.to_text();
  EXPECT_TRUE(contains(report.to_json(), "\"size_differs\":{\"count\":1,\"places\":[\"g.xml\"]}"));
}

TEST_F(VocTest, TakesPngAsItTakesJpeg) {
  write_png("src/a.png", 40, 30);
  write("src/a.xml", voc_xml("a.png", 40, 30, {{"cat", {1, 2, 11, 22}}}));
  write_png("src/b.png", 40, 30, 6);  // to be looked at as 30 x 40
  write("src/b.xml", voc_xml("b", 30, 40, {{"cat", {1, 2, 11, 39}}}));
  add("src/c.jpg", "src/c.xml", {{"cat", {1, 2, 11, 22}}});
  // Its orientation stands at the end of more bytes than are read at first.
  const auto late = encode_png(test_image(240, 180), {.orientation = 6, .exif_behind = true});
  ASSERT_GT(late.size(), 64u << 10);
  write("src/large.png", {reinterpret_cast<const char*>(late.data()), late.size()});
  write("src/large.xml", voc_xml("large.png", 180, 240, {{"cat", {1, 2, 140, 190}}}));
  VocOptions options;
  options.common.val_share = 0;
  const ImportReport report = import(options);
  EXPECT_TRUE(report.notes.empty()) << report.to_text();
  const CocoFile train = coco("train2017");
  ASSERT_EQ(train.images.size(), 4u);
  EXPECT_EQ(train.images[0].file_name, "a.png");
  EXPECT_EQ(train.images[1].width, 30);
  EXPECT_EQ(train.images[3].width, 180);
}

TEST_F(VocTest, RotatedImagesKeepTheSizeTheirBoxesBelongTo) {
  write_jpeg("src/a.jpg", 40, 30, 6);  // stored 40 x 30, to be looked at as 30 x 40
  write("src/a.xml", voc_xml("a.jpg", 30, 40, {{"cat", {1, 2, 11, 39}}}));
  write_jpeg("src/b.jpg", 40, 30, 6);
  write("src/b.xml", voc_xml("b.jpg", 40, 30, {{"cat", {1, 2, 39, 11}}}));
  VocOptions options;
  options.common.val_share = 0;
  EXPECT_TRUE(import(options).notes.empty());
  const CocoFile train = coco("train2017");
  EXPECT_EQ(train.images.at(0).width, 30);
  EXPECT_EQ(train.images.at(0).height, 40);
  EXPECT_EQ(train.images.at(1).width, 40);
}

TEST_F(VocTest, ABadObjectIsNamedWithItsLineAndCostsItself) {
  const auto fault_with = [&](const std::string& xml) {
    fs::remove_all(root_ / "dst");
    write_jpeg("src/a.jpg", 40, 30);
    write("src/a.xml", xml);
    const ImportReport report = import();
    EXPECT_EQ(report.train.boxes + report.val.boxes, 1u);
    return report.notes.at(ForeignNote::object_unreadable).at(0);
  };
  const std::string good = voc_xml("a.jpg", 40, 30, {{"cat", {1, 2, 3, 4}}, {"dog", {1, 2, 5, 6}}});
  const auto replaced = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    return text.replace(text.find(from), from.size(), to);
  };
  const std::string number = fault_with(replaced("<xmax>3", "<xmax>three"));
  EXPECT_TRUE(contains(number, "a.xml:5: <xmax> got \"three\", expected a number")) << number;
  EXPECT_TRUE(contains(fault_with(replaced("<ymax>4</ymax>", "")), "a.xml:5: <bndbox> has no <ymax>"));
  EXPECT_TRUE(contains(fault_with(replaced("<name>cat</name>", "")), "a.xml:4: <object> has no <name>"));
  EXPECT_TRUE(contains(message_of([&] { fault_with(replaced("</annotation>", "")); }), "a.xml:"));
  EXPECT_TRUE(contains(message_of([&] { fault_with(""); }), "a.xml:1: "));
}

TEST_F(VocTest, ASizeThatIsNoneCostsNothing) {
  write_jpeg("src/a.jpg", 40, 30);
  std::string xml = voc_xml("a.jpg", 40, 30, {{"cat", {1, 2, 3, 4}}});
  write("src/a.xml", xml.replace(xml.find("<width>40"), 9, "<width>?"));
  const ImportReport report = import();
  EXPECT_EQ(report.train.boxes + report.val.boxes, 1u);
  EXPECT_TRUE(contains(report.notes.at(ForeignNote::size_differs).at(0), "a.xml:3: <width> got \"?\""));
}

TEST_F(VocTest, DeclaredEncodingsAreHonoured) {
  write_jpeg("src/a.jpg", 40, 30);
  write("src/a.xml", "<?xml version=\"1.0\" encoding=\"gb2312\"?>" +
                         voc_xml("a.jpg", 40, 30, {{"\xba\xec", {1, 2, 3, 4}}}));
  EXPECT_EQ(import().classes.at(0).name, "\u7ea2");
}

// The user's split is in lists that name nothing here: another one would be made up.
TEST_F(VocTest, ListsThatNameNoImageAreRefused) {
  add("src/JPEGImages/a.jpg", "src/Annotations/a.xml", {{"cat", {1, 2, 11, 22}}});
  write("src/ImageSets/Main/train.txt", "x\ny\n");
  EXPECT_TRUE(
      contains(message_of([&] { import(); }), "train.txt: got a list of which no line names an image"));
}

TEST_F(VocTest, RefusesATargetThatHoldsAnnotationsAndEmptySources) {
  add("src/a.jpg", "src/a.xml", {{"cat", {1, 2, 11, 22}}});
  import();
  EXPECT_TRUE(contains(message_of([&] { import(); }), "is there already"));
  fs::remove_all(root_ / "dst");
  fs::create_directories(root_ / "empty");
  EXPECT_TRUE(contains(message_of([&] { import_voc(root_ / "empty", root_ / "dst"); }), "no xml file"));
  EXPECT_TRUE(contains(message_of([&] { import_voc(root_ / "nowhere", root_ / "dst"); }), "is no folder"));
  write("jxl/a.jxl", "JXL");
  write("jxl/a.xml", voc_xml("a.jxl", 40, 30, {}));
  const std::string only_jxl = message_of([&] { import_voc(root_ / "jxl", root_ / "dst"); });
  EXPECT_TRUE(contains(only_jxl, "1 image left out: not JPEG, PNG, ")) << only_jxl;
  VocOptions options;
  options.common.classes = {"dog"};
  EXPECT_TRUE(contains(message_of([&] { import(options); }), "class \"cat\", expected one of the 1 classes"));
  options.common.val_share = 1.5;
  EXPECT_TRUE(contains(message_of([&] { import(options); }), "validation share of 1.5"));
}

TEST_F(VocTest, BlanksAroundAClassAreNoPartOfIt) {
  add("src/a.jpg", "src/a.xml", {{" cat\n", {1, 2, 30, 20}}, {"cat", {1, 2, 30, 20}}});
  add("src/b.jpg", "src/b.xml", {{"cat", {1, 2, 30, 20}}});
  const ImportReport report = import();
  ASSERT_EQ(report.classes.size(), 1u);
  EXPECT_EQ(report.classes[0].boxes, 3u);
}

TEST_F(VocTest, ClassesGivenTwiceAreRefused) {
  add("src/a.jpg", "src/a.xml", {{"cat", {1, 2, 30, 20}}});
  VocOptions options;
  options.common.classes = {"cat", "cat"};
  EXPECT_TRUE(contains(message_of([&] { import(options); }), "got \"cat\" twice"));
}

TEST_F(VocTest, AnUnreadableAnnotationIsNotCalledMissing) {
  add("src/a.jpg", "src/a.xml", {{"cat", {1, 2, 30, 20}}});
  add("src/b.jpg", "src/b.xml", {});
  write("src/b.xml", "<annotation><object>");
  const ImportReport report = import();
  EXPECT_EQ(report.notes.at(ForeignNote::annotation_unreadable).size(), 1u);
  EXPECT_FALSE(report.notes.contains(ForeignNote::image_without_annotation)) << report.to_text();
}

TEST_F(VocTest, ImagesWhoseOrientationTheAnnotationLeavesOpenAreNoted) {
  add("src/a.jpg", "src/a.xml", {{"cat", {1, 2, 30, 20}}});
  add("src/b.jpg", "src/b.xml", {{"cat", {1, 2, 30, 20}}});
  write_jpeg("src/a.jpg", 40, 30, 3);
  write_jpeg("src/b.jpg", 40, 30, 6);  // the size stated tells
  const ImportReport report = import();
  EXPECT_EQ(report.notes.at(ForeignNote::image_orientation_ambiguous), (std::vector<std::string>{"a.jpg"}));
}

}  // namespace
}  // namespace ssd
