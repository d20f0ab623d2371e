// Batches of a data set that lies in a record cache or in files of another format.
#include <gtest/gtest.h>

#include <fstream>

#include "base/error.h"
#include "data/cache/cache_build.h"
#include "data/dataset/dataset_identity.h"
#include "data/loader/loader_test.h"
#include "image/format.h"
#include "testing/format_samples.h"
#include "testing/test_jpeg.h"
#include "testing/test_png.h"

namespace ssd {
namespace {

TEST_F(LoaderTest, GivesTheSameBatchesFromACache) {
  const CocoPaths paths = coco_paths(folder_, "train2017");
  const Dataset set = dataset();
  const std::vector<Print> files = prints(set, {.batch_size = 4, .threads = 2, .seed = 5}, 8);
  for (const RecordEncoding encoding : {RecordEncoding::raw, RecordEncoding::file}) {
    const std::filesystem::path cache = folder_ / "train.cache";
    const CacheReport report = build_cache(paths, cache, {.encoding = encoding, .threads = 2});
    EXPECT_EQ(report.images, std::size_t{images});
    EXPECT_EQ(report.bytes, std::filesystem::file_size(cache));
    const Dataset cached = open_dataset(cache, "train2017");
    EXPECT_EQ(prints(cached, {.batch_size = 4, .threads = 2, .seed = 5}, 8), files);
  }
}

TEST_F(LoaderTest, GivesTheSameBatchesFromACacheOfPngFiles) {
  const CocoPaths paths = coco_paths(folder_, "train2017");
  for (int i = 0; i < images; ++i) {
    // By its first bytes, whatever the name; the last image is larger than its annotation says.
    const Image image =
        i + 1 < images ? decode_image(read_file_for_test(image_file(i))) : test_image(630, 270);
    const auto png = encode_png(image, {.alpha = i % 3 == 1, .interlaced = i % 4 == 2});
    std::ofstream(image_file(i), std::ios::binary)
        .write(reinterpret_cast<const char*>(png.data()), static_cast<std::streamsize>(png.size()));
  }
  const Dataset set = dataset();
  const LoaderOptions options{
      .batch_size = 4, .threads = 2, .seed = 5, .bad_images = LoaderOptions::BadImages::fail};
  const std::vector<Print> files = prints(set, options, 8);
  for (const RecordEncoding encoding : {RecordEncoding::raw, RecordEncoding::file}) {
    const std::filesystem::path file = folder_ / "train.cache";
    EXPECT_TRUE(build_cache(paths, file, {.encoding = encoding, .threads = 2}).unreadable.empty());
    const Dataset cached = open_dataset(file, "train2017");
    EXPECT_EQ(prints(cached, options, 8), files);
    EXPECT_EQ(identity_of(cached).samples, identity_of(set).samples);
    EXPECT_EQ(identity_of(cached).images, encoding == RecordEncoding::raw ? "raw" : "files");
    if (encoding == RecordEncoding::file) {
      const RecordCache cache(file);
      for (std::size_t i = 0; i < cache.size(); ++i) EXPECT_EQ(format_of(cache.record(i).bytes)->name, "PNG");
    }
  }
  build_cache(paths, folder_ / "smaller.cache",
              {.encoding = RecordEncoding::file, .quality = 90, .threads = 2});
  const RecordCache cache(folder_ / "smaller.cache");
  for (std::size_t i = 0; i < cache.size(); ++i) EXPECT_EQ(format_of(cache.record(i).bytes)->name, "JPEG");
}

TEST_F(LoaderTest, GivesTheSameBatchesFromACacheOfFilesOfEveryFormat) {
  const CocoPaths paths = coco_paths(folder_, "train2017");
  CocoFile coco = read_coco(paths.annotations);
  const auto samples = one_image_of_each_format();
  for (std::size_t i = 0; i < samples.size(); ++i) {
    std::filesystem::copy_file(samples[i], image_file(static_cast<int>(i)),
                               std::filesystem::copy_options::overwrite_existing);
    const ImageInfo info = read_image_header(read_file_for_test(samples[i]));
    coco.images[i].width = info.width;
    coco.images[i].height = info.height;
  }
  for (CocoAnnotation& annotation : coco.annotations) annotation.bbox = {1, 2, 6, 5};
  std::ofstream(paths.annotations) << write_coco(coco);
  const LoaderOptions options{
      .batch_size = 4, .threads = 2, .seed = 5, .bad_images = LoaderOptions::BadImages::fail};
  const std::vector<Print> files = prints(dataset(), options, 8);
  for (const RecordEncoding encoding : {RecordEncoding::raw, RecordEncoding::file}) {
    const std::filesystem::path file = folder_ / "train.cache";
    EXPECT_TRUE(build_cache(paths, file, {.encoding = encoding, .threads = 2}).unreadable.empty());
    EXPECT_EQ(prints(open_dataset(file, "train2017"), options, 8), files);
  }
}

// What is trained on are the pixels of the files, in whatever format they are kept.
TEST_F(LoaderTest, GivesTheSameBatchesOfPngFilesAsOfTheirJpegs) {
  const std::filesystem::path shared = std::filesystem::path(SSD_SOURCE_DIR) / ".." / "shared";
  const std::filesystem::path png = shared / "cases/png/coco", jpeg = shared / "data/bccd/JPEGImages";
  if (!std::filesystem::exists(png) || !std::filesystem::exists(jpeg))
    GTEST_SKIP() << png << " or " << jpeg << " is missing";
  const CocoPaths paths = coco_paths(png, "train2017");
  const Dataset set = read_dataset(paths);
  Dataset of_jpegs = set;
  for (Sample& sample : of_jpegs.samples)
    sample.file = jpeg / std::filesystem::path(sample.file).stem().concat(".jpg");
  const LoaderOptions options{
      .batch_size = 4, .threads = 2, .seed = 5, .bad_images = LoaderOptions::BadImages::fail};
  const std::vector<Print> expected = prints(of_jpegs, options, 6);
  EXPECT_EQ(prints(set, options, 6), expected);
  build_cache(paths, folder_ / "raw.cache", {});
  EXPECT_EQ(prints(open_dataset(folder_ / "raw.cache", "train2017"), options, 6), expected);
}

TEST_F(LoaderTest, CacheLeavesOutBadImagesAndShrinksLargeOnes) {
  spoil(folder_);
  const std::filesystem::path file = folder_ / "small.cache";
  const CacheReport report = build_cache(coco_paths(folder_, "train2017"), file,
                                         {.encoding = RecordEncoding::file, .max_side = 100, .threads = 2});
  EXPECT_EQ(report.unreadable.size(), 5u);
  const RecordCache cache(file);
  EXPECT_EQ(cache.verify().size(), 5u);
  EXPECT_EQ(cache.record(11).width, 100);  // 200 x 95
  EXPECT_EQ(cache.record(11).height, 48);
  const ImageInfo info = read_image_header(cache.record(11).bytes);
  EXPECT_EQ(info.width, 100);
  EXPECT_EQ(info.height, 48);
  const Dataset set = open_dataset(file, "");
  Loader loader(set, {.batch_size = 4, .threads = 2});
  for (int i = 0; i < images; ++i) loader.next();
  EXPECT_EQ(loader.bad_images(), 5u);
  EXPECT_THROW(build_cache(coco_paths(folder_, "train2017"), file, {.quality = 90}), Error);
  EXPECT_THROW(build_cache(coco_paths(folder_, "val2017"), file, {}), Error);
}

}  // namespace
}  // namespace ssd
