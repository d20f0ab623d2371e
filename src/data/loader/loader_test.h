// What the tests of the loader share.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <vector>

#include "data/cache/open_dataset.h"
#include "data/loader/loader.h"
#include "image/jpeg_encode.h"
#include "storage/checksum.h"

namespace ssd {

// A COCO folder of small images, each with a few boxes, made anew for every test.
class LoaderTest : public testing::Test {
 protected:
  static constexpr int images = 13;

  void SetUp() override {
    folder_ = std::filesystem::path(testing::TempDir()) / fmt::format("loader_test_{}", ::getpid());
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_ / "train2017");
    std::filesystem::create_directories(folder_ / "annotations");
    CocoFile coco;
    coco.categories = {{.id = 2, .name = "a"}, {.id = 7, .name = "b"}};
    for (int i = 0; i < images; ++i) {
      const int width = 90 + 10 * i, height = 150 - 5 * i;
      coco.images.push_back(
          {.id = 100 + i, .file_name = fmt::format("{}.jpg", i), .width = width, .height = height});
      for (int k = 0; k <= i % 4; ++k)
        coco.annotations.push_back({.id = 10 * i + k + 1,
                                    .image_id = 100 + i,
                                    .category_id = k % 2 ? 2 : 7,
                                    .bbox = {5.0 + 12 * k, 8.0 + 9 * k, 30.0 + i, 40.0 + k},
                                    .area = 1});
      write_image(i, width, height);
    }
    std::ofstream(folder_ / "annotations/instances_train2017.json") << write_coco(coco);
  }

  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path image_file(int i) const { return folder_ / "train2017" / fmt::format("{}.jpg", i); }

  void write_image(int i, int width, int height) const {
    Image drawn{.width = width, .height = height, .rgb = {}};
    for (int y = 0; y < height; ++y)
      for (int x = 0; x < width; ++x)
        for (int c = 0; c < 3; ++c)
          drawn.rgb.push_back(static_cast<std::uint8_t>(128 + 100 * std::sin(0.05 * (i + 1) * (x + 2 * y)) *
                                                                  std::cos(0.03 * x * c)));
    std::vector<std::byte> bytes;
    encode_jpeg(drawn, 90, bytes);
    std::ofstream(image_file(i), std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  }

  Dataset dataset() const { return read_dataset(coco_paths(folder_, "train2017")); }

  std::filesystem::path folder_;
};

inline std::uint64_t hash_of(const Tensor& tensor) { return xxh64({tensor.data(), tensor.bytes()}); }

// Everything a step depends on.
struct Print {
  std::vector<std::uint64_t> tensors;
  std::vector<std::int64_t> ids;
  std::vector<std::uint32_t> samples;
  StreamPosition begin, next;

  explicit Print(const Batch& batch)
      : tensors{hash_of(batch.images), hash_of(batch.match), hash_of(batch.boxes), hash_of(batch.labels)},
        ids(batch.image_ids),
        samples(batch.sample_indices),
        begin(batch.begin),
        next(batch.next) {}
  bool operator==(const Print&) const = default;
};

inline std::vector<Print> prints(const Dataset& dataset, const LoaderOptions& options, int batches) {
  Loader loader(dataset, options);
  std::vector<Print> out;
  for (int i = 0; i < batches; ++i) out.emplace_back(*loader.next());
  return out;
}

// One of each kind: missing, empty, no JPEG, cut in the middle, a folder.
inline void spoil(const std::filesystem::path& folder) {
  const auto file = [&](int i) { return folder / "train2017" / fmt::format("{}.jpg", i); };
  std::filesystem::remove(file(1));
  std::filesystem::resize_file(file(4), 0);
  std::ofstream(file(5)) << "this is no JPEG";
  std::filesystem::resize_file(file(8), std::filesystem::file_size(file(8)) / 2);
  std::filesystem::remove(file(12));
  std::filesystem::create_directory(file(12));
}

inline constexpr AugmentOptions whole_images{.crop = false, .flip = true, .colour = true};

}  // namespace ssd
