#include "data/loader/loader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>

#include "base/error.h"
#include "boxes/match.h"
#include "data/loader/loader_test.h"
#include "testing/message_of.h"

namespace ssd {
namespace {

TEST_F(LoaderTest, GivesTheSameBatchesForAnyNumberOfThreads) {
  const Dataset set = dataset();
  const std::vector<Print> one = prints(set, {.batch_size = 4, .threads = 1, .seed = 5}, 12);
  EXPECT_EQ(one, prints(set, {.batch_size = 4, .threads = 1, .buffers = 1, .seed = 5}, 12));
  EXPECT_EQ(one, prints(set, {.batch_size = 4, .threads = 2, .seed = 5}, 12));
  EXPECT_EQ(one, prints(set, {.batch_size = 4, .threads = 4, .buffers = 7, .seed = 5}, 12));
  EXPECT_NE(one, prints(set, {.batch_size = 4, .threads = 1, .seed = 6}, 12));
  // The same samples look otherwise in another epoch.
  for (std::size_t i = 1; i < one.size(); ++i) EXPECT_NE(one[0].tensors[0], one[i].tensors[0]);
}

TEST_F(LoaderTest, ResumesOnExactlyTheNextBatch) {
  const Dataset set = dataset();
  const std::vector<Print> whole = prints(set, {.batch_size = 5, .threads = 2, .seed = 9}, 11);
  for (std::size_t done = 0; done < 9; ++done) {
    const std::vector<Print> rest =
        prints(set, {.batch_size = 5, .threads = 2, .seed = 9, .begin = whole[done].next}, 2);
    EXPECT_EQ(rest[0], whole[done + 1]);
    EXPECT_EQ(rest[1], whole[done + 2]);
  }
  EXPECT_THROW(prints(set, {.begin = {.epoch = 0, .sample = images}}, 1), Error);
}

TEST_F(LoaderTest, UsesEverySampleOnceAnEpochAndRunsOverEpochEnds) {
  const Dataset set = dataset();
  Loader loader(set, {.batch_size = 5, .threads = 2, .seed = 1});
  std::vector<std::uint32_t> stream;
  for (int i = 0; i < images; ++i) {  // 13 batches of 5: five epochs of 13
    const Loader::BatchPointer batch = loader.next();
    EXPECT_EQ(batch->valid, 5);
    EXPECT_EQ(batch->begin.epoch * std::uint64_t{images} + batch->begin.sample, stream.size());
    stream.insert(stream.end(), batch->sample_indices.begin(), batch->sample_indices.end());
    EXPECT_EQ(batch->next.epoch * std::uint64_t{images} + batch->next.sample, stream.size());
  }
  for (int epoch = 0; epoch < 5; ++epoch) {
    std::vector<std::uint32_t> seen(stream.begin() + epoch * images, stream.begin() + (epoch + 1) * images);
    EXPECT_FALSE(std::ranges::is_sorted(seen));
    std::ranges::sort(seen);
    for (std::uint32_t i = 0; i < images; ++i) EXPECT_EQ(seen[i], i);
  }
}

TEST_F(LoaderTest, ShardsCutTheGlobalBatch) {
  const Dataset set = dataset();
  Loader whole(set, {.batch_size = 6, .threads = 2, .seed = 3});
  Loader first(set, {.batch_size = 3, .seed = 3, .rank = 0, .world = 2});
  Loader second(set, {.batch_size = 3, .seed = 3, .rank = 1, .world = 2});
  for (int i = 0; i < 9; ++i) {
    const auto all = whole.next(), a = first.next(), b = second.next();
    EXPECT_EQ(a->begin, all->begin);
    EXPECT_EQ(b->next, all->next);
    for (const auto& [part, offset] : {std::pair(a.get(), 0), std::pair(b.get(), 3)}) {
      const auto same = [&, n = offset](const Tensor& x, const Tensor& y) {
        const std::size_t bytes = x.bytes() / 6;
        return std::equal(y.data(), y.data() + 3 * bytes, x.data() + static_cast<std::size_t>(n) * bytes);
      };
      EXPECT_TRUE(same(all->images, part->images));
      EXPECT_TRUE(same(all->match, part->match));
      EXPECT_TRUE(same(all->boxes, part->boxes));
      EXPECT_TRUE(same(all->labels, part->labels));
    }
  }
}

TEST_F(LoaderTest, WritesMatchedTargets) {
  const Dataset set = dataset();
  Loader loader(set, {.batch_size = 4, .augment = {.crop = false, .flip = false, .colour = false}});
  EXPECT_EQ(loader.max_boxes(), 16);
  const Loader::BatchPointer batch = loader.next();
  EXPECT_EQ(batch->images.shape(), (Shape{4, 300, 300, 3}));
  EXPECT_EQ(batch->match.shape(), (Shape{4, 8732}));
  EXPECT_EQ(batch->boxes.shape(), (Shape{4, 16, 4}));
  EXPECT_EQ(batch->labels.shape(), (Shape{4, 16}));
  for (std::size_t slot = 0; slot < 4; ++slot) {
    const Sample& sample = set.samples[batch->sample_indices[slot]];
    EXPECT_EQ(batch->image_ids[slot], sample.image_id);
    std::vector<Box> boxes;
    for (std::size_t i = 0; i < 16; ++i) {
      const float* box = batch->boxes.as<float>().data() + (slot * 16 + i) * 4;
      const bool own = i < sample.boxes.size();
      const CenterBox expected = own ? to_center(sample.boxes[i].box) : CenterBox{};
      EXPECT_EQ((CenterBox{box[0], box[1], box[2], box[3]}), expected);
      EXPECT_EQ(batch->labels.as<std::int32_t>()[slot * 16 + i], own ? sample.boxes[i].label : 0);
      if (own) boxes.push_back(sample.boxes[i].box);
    }
    std::vector<std::int32_t> matched(default_box_count);
    MatchScratch scratch;
    match(boxes, ssd300_default_boxes(), matched, scratch);
    EXPECT_TRUE(std::ranges::equal(matched, batch->match.as<std::int32_t>().subspan(slot * 8732, 8732)));
  }
}

TEST_F(LoaderTest, EvaluatesEverySampleOnceWithAPartialLastBatch) {
  const Dataset set = dataset();
  for (const int world : {1, 3}) {
    std::vector<std::uint32_t> seen;
    for (int rank = 0; rank < world; ++rank) {
      Loader loader(set, {.mode = LoaderOptions::Mode::evaluate,
                          .batch_size = 5,
                          .threads = 2,
                          .rank = rank,
                          .world = world});
      EXPECT_EQ(loader.batches(), world == 1 ? 3u : 1u);
      std::uint64_t batches = 0;
      while (const Loader::BatchPointer batch = loader.next()) {
        ++batches;
        EXPECT_TRUE(batch->match.shape() == Shape{0});
        for (int slot = 0; slot < 5; ++slot) {
          const std::uint32_t sample = batch->sample_indices[slot];
          const auto image =
              batch->images.as<std::uint8_t>().subspan(Augmenter::image_bytes * slot, Augmenter::image_bytes);
          const bool black = std::ranges::all_of(image, [](std::uint8_t value) { return value == 0; });
          EXPECT_EQ(black, slot >= batch->valid);
          EXPECT_EQ(sample == Batch::no_sample, slot >= batch->valid);
          EXPECT_EQ(batch->image_ids[slot], slot < batch->valid ? 100 + static_cast<int>(sample) : -1);
          if (slot < batch->valid) seen.push_back(sample);
        }
      }
      EXPECT_EQ(batches, loader.batches());
      EXPECT_EQ(loader.next(), nullptr);
    }
    EXPECT_EQ(seen.size(), std::size_t{images});
    EXPECT_TRUE(std::ranges::is_sorted(seen));
  }
}

TEST_F(LoaderTest, NamesBadImagesOnceAndPutsOthersInTheirPlace) {
  const Dataset set = dataset();
  spoil(folder_);
  const auto print_all = [&](int threads) {
    std::map<std::string, int> named;
    LoaderOptions options{.batch_size = 4, .threads = threads, .seed = 2, .augment = whole_images};
    options.on_bad_image = [&](const BadImage& bad) {
      ++named[bad.file];
      EXPECT_EQ(bad.file, set.samples[bad.sample].file);
      EXPECT_FALSE(bad.reason.empty());
      EXPECT_EQ(bad.reason.find(bad.file), std::string::npos) << bad.reason;
    };
    Loader loader(set, options);
    std::vector<Print> out;
    for (int i = 0; i < images; ++i) out.emplace_back(*loader.next());  // four epochs of 13
    EXPECT_EQ(loader.bad_images(), 5u);
    EXPECT_EQ(loader.replaced(), 20u);
    EXPECT_EQ(named.size(), 5u);
    for (const auto& [file, times] : named) EXPECT_EQ(times, 1) << file;
    return out;
  };
  const std::vector<Print> one = print_all(1);
  EXPECT_EQ(one, print_all(3));
  std::map<std::uint32_t, int> used;
  for (const Print& print : one)
    for (const std::uint32_t sample : print.samples) ++used[sample];
  // 1 by 2; 4 and 5 by 6; 8 by 9; 12 by 0: four times each, beside their own four.
  const std::map<std::uint32_t, int> expected{{0, 8}, {2, 8}, {3, 4},  {6, 12},
                                              {7, 4}, {9, 8}, {10, 4}, {11, 4}};
  EXPECT_EQ(used, expected);
}

TEST_F(LoaderTest, LeavesBadImagesOutOfEvaluation) {
  const Dataset set = dataset();
  spoil(folder_);
  Loader loader(set, {.mode = LoaderOptions::Mode::evaluate, .batch_size = 13, .threads = 2});
  const Loader::BatchPointer batch = loader.next();
  EXPECT_EQ(batch->valid, 13);
  for (std::uint32_t slot = 0; slot < 13; ++slot) {
    const bool bad = std::ranges::count(std::array{1, 4, 5, 8, 12}, static_cast<int>(slot)) > 0;
    EXPECT_EQ(batch->sample_indices[slot], bad ? Batch::no_sample : slot);
  }
  EXPECT_EQ(loader.bad_images(), 5u);
  EXPECT_EQ(loader.replaced(), 0u);
}

TEST_F(LoaderTest, FailsOnBadImagesWhenAsked) {
  const Dataset set = dataset();
  spoil(folder_);
  Loader loader(set, {.batch_size = 13,
                      .threads = 2,
                      .augment = whole_images,
                      .bad_images = LoaderOptions::BadImages::fail});
  for (int i = 0; i < 2; ++i) {
    const std::string message = message_of([&] { loader.next(); });
    EXPECT_NE(message.find(".jpg: "), std::string::npos) << message;
  }
}

TEST_F(LoaderTest, FailsWhenNoImageCanBeRead) {
  const Dataset set = dataset();
  std::filesystem::remove_all(folder_ / "train2017");
  Loader loader(set, {.batch_size = 4, .threads = 2});
  const std::string message = message_of([&] { loader.next(); });
  EXPECT_TRUE(message.starts_with("13 images in a row")) << message;
}

TEST_F(LoaderTest, KeepsHeldBatchesAndStopsAtAnyMoment) {
  const Dataset set = dataset();
  {
    Loader loader(set, {.batch_size = 4, .threads = 2, .buffers = 2});
    const Loader::BatchPointer first = loader.next();
    const Print before(*first);
    for (int i = 0; i < 6; ++i) loader.next();
    EXPECT_EQ(Print(*first), before);
    const Loader::BatchPointer second = loader.next();
    EXPECT_THROW(loader.next(), Error);
    EXPECT_GT(loader.times().decode, 0.0);
    EXPECT_GT(loader.times().match, 0.0);
  }
  for (int batches = 0; batches < 6; ++batches) {
    Loader loader(set, {.batch_size = 2, .threads = 3});
    for (int i = 0; i < batches; ++i) loader.next();
  }
  EXPECT_THROW(Loader(set, {.batch_size = 0}), Error);
  EXPECT_THROW(Loader(set, {.threads = 0}), Error);
  EXPECT_THROW(Loader(set, {.rank = 2, .world = 2}), Error);
}

}  // namespace
}  // namespace ssd
