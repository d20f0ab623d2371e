#include "data/dataset/dataset.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace ssd {
namespace {

CocoFile two_images() {
  CocoFile coco;
  coco.images = {{.id = 30, .file_name = "a.jpg", .width = 100, .height = 50},
                 {.id = 10, .file_name = "sub/b.jpg", .width = 200, .height = 400}};
  coco.categories = {{.id = 90, .name = "toothbrush"}, {.id = 3, .name = "car"}};
  return coco;
}

void add(CocoFile& coco, std::int64_t image, std::int64_t category, std::array<double, 4> bbox,
         bool crowd = false) {
  coco.annotations.push_back({.id = static_cast<std::int64_t>(coco.annotations.size()) + 1,
                              .image_id = image,
                              .category_id = category,
                              .bbox = bbox,
                              .area = bbox[2] * bbox[3],
                              .iscrowd = crowd});
}

TEST(Dataset, GivesBoxesAsSharesAndLabelsInCategoryOrder) {
  CocoFile coco = two_images();
  add(coco, 10, 3, {50, 100, 100, 200}, true);
  add(coco, 30, 90, {0, 0, 100, 25});
  add(coco, 10, 90, {0, 0, 1, 1});
  const Dataset dataset = make_dataset(coco, "images", {}, "x.json");
  ASSERT_EQ(dataset.samples.size(), 2u);
  EXPECT_EQ(dataset.samples[0].image_id, 30);
  EXPECT_EQ(dataset.samples[1].file, "images/sub/b.jpg");
  ASSERT_EQ(dataset.samples[1].boxes.size(), 2u);
  EXPECT_EQ(dataset.samples[1].boxes[0].box, (Box{0.25f, 0.25f, 0.75f, 0.75f}));
  EXPECT_EQ(dataset.samples[1].boxes[0].label, 2);
  EXPECT_EQ(dataset.samples[0].boxes[0].box, (Box{0, 0, 1, 0.5f}));
  EXPECT_EQ(dataset.samples[0].boxes[0].label, 1);
  EXPECT_EQ(dataset.max_boxes, 2);
  EXPECT_EQ(dataset.left_out, LeftOut{});
}

TEST(Dataset, CountsWhatItLeavesOut) {
  CocoFile coco = two_images();
  add(coco, 10, 3, {-20, 0, 120, 400});  // clipped
  add(coco, 10, 3, {5, 5, 0, 7});        // no width
  add(coco, 10, 3, {250, 5, 10, 10});    // outside
  add(coco, 10, 3, {9, 9, -5, 5});       // inside out
  add(coco, 11, 3, {1, 1, 2, 2});        // no such image
  add(coco, 30, 4, {1, 1, 2, 2});        // no such category
  const Dataset dataset = make_dataset(coco, "", {}, "x.json");
  ASSERT_EQ(dataset.samples.size(), 1u);
  EXPECT_EQ(dataset.samples[0].record, 1u);
  ASSERT_EQ(dataset.samples[0].boxes.size(), 1u);
  EXPECT_EQ(dataset.samples[0].boxes[0].box, (Box{0, 0, 0.5f, 1}));
  EXPECT_EQ(dataset.left_out, (LeftOut{.images_without_boxes = 1,
                                       .boxes_without_area = 3,
                                       .boxes_without_image = 1,
                                       .boxes_without_category = 1,
                                       .boxes_clipped = 2}));
  const Dataset all = make_dataset(coco, "", {.empty_images = DatasetOptions::EmptyImages::keep}, "x.json");
  EXPECT_EQ(all.samples.size(), 2u);
  EXPECT_EQ(all.left_out.images_without_boxes, 0u);
}

TEST(Dataset, RefusesIdsThatOccurTwiceAndEmptySets) {
  CocoFile coco = two_images();
  EXPECT_THROW(make_dataset(coco, "", {}, "x.json"), Error);
  add(coco, 10, 3, {0, 0, 9, 9});
  coco.images[0].id = 10;
  EXPECT_THROW(make_dataset(coco, "", {}, "x.json"), Error);
  coco.images[0].id = 11;
  EXPECT_NO_THROW(make_dataset(coco, "", {}, "x.json"));
  coco.categories[0].id = 3;
  EXPECT_THROW(make_dataset(coco, "", {}, "x.json"), Error);
}

TEST(Dataset, ReadsTheRealSubset) {
  const std::filesystem::path folder = SSD_SOURCE_DIR "/../shared/data/coco-subset";
  if (!std::filesystem::exists(folder))
    GTEST_SKIP() << "shared/data/coco-subset is not beside the source tree";
  const Dataset dataset = read_dataset(coco_paths(folder, "train2017"));
  EXPECT_EQ(dataset.samples.size() + dataset.left_out.images_without_boxes, 240u);
  EXPECT_EQ(dataset.max_boxes, 42);
  std::size_t boxes = dataset.left_out.boxes_without_area;
  for (const Sample& sample : dataset.samples) {
    EXPECT_TRUE(std::filesystem::exists(sample.file)) << sample.file;
    boxes += sample.boxes.size();
  }
  EXPECT_EQ(boxes, 1913u);
}

TEST(CocoPaths, TakesTheFirstImageFolderThatIsThere) {
  namespace fs = std::filesystem;
  const fs::path folder = fs::path(testing::TempDir()) / "coco_paths_test";
  fs::remove_all(folder);
  EXPECT_EQ(coco_paths(folder, "val2017").images, folder / "val2017");
  for (const char* place : {"JPEGImages", "images", "images/val2017", "val2017"}) {
    fs::create_directories(folder / place);
    EXPECT_EQ(coco_paths(folder, "val2017").images, folder / place);
  }
  EXPECT_EQ(coco_paths(folder, "val2017").annotations, folder / "annotations/instances_val2017.json");
  fs::remove_all(folder);
}

}  // namespace
}  // namespace ssd
