#include "data/dataset/dataset_identity.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <functional>

#include "data/cache/cache_build.h"
#include "data/cache/open_dataset.h"

namespace ssd {
namespace {

Dataset two_images() {
  Dataset dataset;
  dataset.samples = {
      {.image_id = 5, .file = "/here/a.jpg", .width = 10, .height = 20, .boxes = {{{0, 0, 0.5f, 1}, 1}}},
      {.image_id = 6, .file = "/here/b.jpg", .width = 30, .height = 40, .boxes = {{{0, 0, 1, 1}, 2}}}};
  return dataset;
}

TEST(DatasetIdentity, IsOfTheSamplesAndNotOfTheirFolder) {
  const DatasetIdentity identity = identity_of(two_images());
  EXPECT_EQ(identity.images, "files");
  Dataset moved = two_images();
  moved.samples[0].file = "elsewhere/a.jpg";
  EXPECT_EQ(identity_of(moved).samples, identity.samples);

  const std::function<void(Dataset&)> changes[] = {
      [](Dataset& d) { d.samples[0].image_id = 7; },
      [](Dataset& d) { d.samples[0].file = "/here/c.jpg"; },
      [](Dataset& d) { d.samples[1].width = 31; },
      [](Dataset& d) { d.samples[1].height = 41; },
      [](Dataset& d) { d.samples[0].boxes[0].box.right = 0.25f; },
      [](Dataset& d) { d.samples[0].boxes[0].label = 2; },
      [](Dataset& d) { d.samples[0].boxes.clear(); },
      [](Dataset& d) { std::swap(d.samples[0], d.samples[1]); },
      [](Dataset& d) { d.samples.pop_back(); },
  };
  for (const auto& change : changes) {
    Dataset other = two_images();
    change(other);
    EXPECT_NE(identity_of(other).samples, identity.samples) << &change - changes;
  }
}

TEST(DatasetIdentity, OfACacheIsThatOfTheFilesOnlyWhereItHoldsThem) {
  const std::filesystem::path samples = std::filesystem::path(SSD_SOURCE_DIR) / "samples/blood-cells";
  const std::string file = testing::TempDir() + "identity-" + std::to_string(::getpid()) + ".cache";
  const Dataset files = open_dataset(samples, "val2017");
  const auto of_cache = [&](const CacheOptions& options) {
    build_cache(coco_paths(samples, "val2017"), file, options, {});
    const DatasetIdentity identity = identity_of(open_dataset(file, "val2017"));
    EXPECT_EQ(identity.samples, identity_of(files).samples);
    return identity.images;
  };
  EXPECT_EQ(of_cache({.encoding = RecordEncoding::file}), "files");
  EXPECT_EQ(of_cache({.encoding = RecordEncoding::raw, .max_side = 40}), "raw, max-side 40");
  EXPECT_EQ(of_cache({.encoding = RecordEncoding::file, .max_side = 40, .quality = 90}),
            "jpeg, max-side 40, quality 90");
  std::filesystem::remove(file);
}

}  // namespace
}  // namespace ssd
