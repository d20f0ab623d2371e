#include "data/loader/mosaic.h"

#include <algorithm>

#include "data/loader/loader_test.h"
#include "testing/message_of.h"

namespace ssd {
namespace {

constexpr AugmentOptions mosaics{.crop = false, .flip = false, .colour = false, .mosaic = true};

// The images meet at a point that is uniform over 75..225 of 300, and the others are any samples.
TEST(Mosaic, IsDistributedAsDefined) {
  std::vector<int> xs, ys, others(7);
  for (std::uint64_t i = 0; i < 7000; ++i) {
    Random random(2, 1, i);
    const Mosaic mosaic = random_mosaic(random, 7);
    const int x = mosaic.tiles[0].right, y = mosaic.tiles[0].bottom;
    EXPECT_EQ(mosaic.tiles[0], (PixelRect{0, 0, x, y}));
    EXPECT_EQ(mosaic.tiles[1], (PixelRect{x, 0, 300, y}));
    EXPECT_EQ(mosaic.tiles[2], (PixelRect{0, y, x, 300}));
    EXPECT_EQ(mosaic.tiles[3], (PixelRect{x, y, 300, 300}));
    xs.push_back(x);
    ys.push_back(y);
    for (const std::uint32_t other : mosaic.others) ++others.at(other);
  }
  for (auto* values : {&xs, &ys}) {
    std::ranges::sort(*values);
    EXPECT_NEAR((*values)[350], 75 + 0.05 * 150, 3);
    EXPECT_NEAR((*values)[3500], 150, 4);
    EXPECT_NEAR((*values)[6650], 225 - 0.05 * 150, 3);
  }
  for (const int count : others) EXPECT_NEAR(count, 3000, 200);
}

class MosaicLoaderTest : public LoaderTest {};

std::size_t boxes_of(const Batch& batch, std::size_t slot) {
  const auto labels = batch.labels.as<std::int32_t>();
  const std::size_t room = labels.size() / batch.image_ids.size();
  const auto begin = labels.begin() + static_cast<std::ptrdiff_t>(slot * room);
  return static_cast<std::size_t>(
      std::count_if(begin, begin + static_cast<std::ptrdiff_t>(room), [](auto label) { return label > 0; }));
}

// The samples have 1 to 4 boxes: more must be those of others.
TEST_F(MosaicLoaderTest, HalfOfTheSamplesHaveTheBoxesOfFour) {
  const Dataset data = dataset();
  Loader loader(data, {.batch_size = 50, .augment = mosaics});
  EXPECT_EQ(loader.max_boxes(), 16);
  int many = 0;
  for (int i = 0; i < 4; ++i) {
    const auto batch = loader.next();
    for (std::size_t slot = 0; slot < 50; ++slot)
      many += boxes_of(*batch, slot) > data.samples[batch->sample_indices[slot]].boxes.size();
  }
  EXPECT_NEAR(many, 100, 30);
}

TEST_F(MosaicLoaderTest, DoesNotDependOnThreads) {
  const Dataset data = dataset();
  const auto made = [&](int threads) {
    return prints(data, {.batch_size = 8, .threads = threads, .augment = {.mosaic = true}}, 6);
  };
  EXPECT_EQ(made(1), made(3));
}

// With every other image gone, a mosaic of it would be taken for a bad sample.
TEST_F(MosaicLoaderTest, ABadImageAmongTheOthersIsNamedAndReplacedByTheSample) {
  for (int i = 1; i < images; ++i) std::filesystem::remove(image_file(i));
  const Dataset data = dataset();
  int named = 0;
  Loader loader(data, {.batch_size = 4,
                       .order = SampleOrder::sequential,
                       .augment = mosaics,
                       .on_bad_image = [&](const BadImage& bad) {
                         ++named;
                         EXPECT_NE(bad.sample, 0u);
                       }});
  for (int i = 0; i < 20; ++i)
    for (const std::uint32_t sample : loader.next()->sample_indices) EXPECT_EQ(sample, 0u);
  EXPECT_EQ(named, images - 1);
}

TEST_F(MosaicLoaderTest, ABadImageAmongTheOthersFailsUnderItsOwnName) {
  std::filesystem::remove(image_file(4));
  const Dataset data = dataset();
  Loader loader(data, {.batch_size = 4,
                       .order = SampleOrder::sequential,
                       .augment = mosaics,
                       .bad_images = LoaderOptions::BadImages::fail});
  const std::string message = message_of([&] {
    for (int i = 0; i < 50; ++i) loader.next();
  });
  EXPECT_TRUE(message.starts_with(image_file(4).string())) << message;
  EXPECT_EQ(message.find(".jpg"), message.rfind(".jpg")) << message;
}

}  // namespace
}  // namespace ssd
