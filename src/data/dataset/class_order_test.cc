#include "data/dataset/class_order.h"

#include <gtest/gtest.h>

#include "testing/message_of.h"

namespace ssd {
namespace {

// One image with a box of each category.
Dataset dataset_of(std::vector<CocoCategory> categories) {
  Dataset dataset;
  dataset.samples.emplace_back();
  for (std::size_t i = 0; i < categories.size(); ++i)
    dataset.samples[0].boxes.push_back({{0, 0, 1, 1}, static_cast<std::int32_t>(i) + 1});
  dataset.categories = std::move(categories);
  return dataset;
}

std::string refusal(Dataset dataset, const std::vector<CocoCategory>& classes) {
  return message_of([&] { order_classes(dataset, classes, "val.json"); });
}

const std::vector<CocoCategory> cat_dog_cow{{1, "cat"}, {2, "dog"}, {5, "cow"}};

TEST(ClassOrder, FollowsTheNetworksOrderAndKeepsTheFilesIds) {
  Dataset dataset = dataset_of({{2, "dog"}, {7, "cow"}, {1, "cat"}});
  order_classes(dataset, cat_dog_cow, "val.json");
  ASSERT_EQ(dataset.categories.size(), 3u);
  EXPECT_EQ(dataset.categories[0].id, 1);
  EXPECT_EQ(dataset.categories[1].name, "dog");
  EXPECT_EQ(dataset.categories[2].id, 7);
  EXPECT_EQ(dataset.samples[0].boxes[0].label, 2);
  EXPECT_EQ(dataset.samples[0].boxes[1].label, 3);
  EXPECT_EQ(dataset.samples[0].boxes[2].label, 1);
}

TEST(ClassOrder, NamesWhatDoesNotFit) {
  EXPECT_EQ(refusal(dataset_of({{1, "cat"}, {2, "horse"}, {5, "cow"}}), cat_dog_cow),
            "val.json: got category 2 \"horse\", expected \"dog\"; evaluate on the classes that the network "
            "was trained on");
  EXPECT_NE(
      refusal(dataset_of({{1, "cat"}, {2, "dog"}}), cat_dog_cow).find("got no category \"cow\", expected it"),
      std::string::npos);
  EXPECT_NE(refusal(dataset_of({{1, "cat"}, {2, "dog"}, {3, "elk"}, {5, "cow"}}), cat_dog_cow)
                .find("boxes of \"elk\""),
            std::string::npos);
  EXPECT_NE(refusal(dataset_of({{8, "cat"}, {9, "cat"}}), {{1, "cat"}}).find("2 categories \"cat\""),
            std::string::npos);
}

TEST(ClassOrder, TellsCategoriesOfOneNameByTheirIdsAndDropsUnusedOnes) {
  Dataset dataset = dataset_of({{9, "cat"}, {1, "cat"}});
  dataset.categories.push_back({3, "elk"});
  order_classes(dataset, std::vector<CocoCategory>{{1, "cat"}, {9, "cat"}}, "val.json");
  ASSERT_EQ(dataset.categories.size(), 2u);
  EXPECT_EQ(dataset.categories[0].id, 1);
  EXPECT_EQ(dataset.samples[0].boxes[0].label, 2);
}

}  // namespace
}  // namespace ssd
