// A program of its own: it counts every allocation by C++ code.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <malloc.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <new>

#include "data/cache/cache_build.h"
#include "data/cache/cache_writer.h"
#include "data/cache/open_dataset.h"
#include "data/loader/loader.h"
#include "image/jpeg_encode.h"
#include "testing/test_png.h"

namespace {
std::atomic<std::size_t> allocations{0}, held{0}, most_held{0};

// Kept out of line: the compiler takes the pair of them for a mistake where it sees through both.
[[gnu::noinline]] void release(void* memory) {
  held -= ::malloc_usable_size(memory);
  std::free(memory);
}
[[gnu::noinline]] void* counted(std::size_t bytes, std::size_t alignment) {
  ++allocations;
  void* const memory = std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
  if (!memory) throw std::bad_alloc();
  const std::size_t now = held += ::malloc_usable_size(memory);
  for (std::size_t most = most_held; now > most && !most_held.compare_exchange_weak(most, now);) {
  }
  return memory;
}
}  // namespace

void* operator new(std::size_t bytes) { return counted(bytes, alignof(std::max_align_t)); }
void* operator new[](std::size_t bytes) { return counted(bytes, alignof(std::max_align_t)); }
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return counted(bytes, std::size_t(alignment));
}
void* operator new[](std::size_t bytes, std::align_val_t alignment) {
  return counted(bytes, std::size_t(alignment));
}
void operator delete(void* memory) noexcept { release(memory); }
void operator delete[](void* memory) noexcept { release(memory); }
void operator delete(void* memory, std::size_t) noexcept { release(memory); }
void operator delete[](void* memory, std::size_t) noexcept { release(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { release(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { release(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { release(memory); }
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept { release(memory); }

namespace ssd {
namespace {

constexpr int images = 9;

enum class Kind { raw, jpeg, png };

// An image as a cache's record.
std::vector<std::byte> encoded(const Image& image, Kind kind) {
  std::vector<std::byte> out;
  switch (kind) {
    case Kind::raw:
      out.assign(std::as_bytes(std::span(image.rgb)).begin(), std::as_bytes(std::span(image.rgb)).end());
      break;
    case Kind::jpeg:
      encode_jpeg(image, 90, out);
      break;
    case Kind::png:
      out = encode_png(image, {.alpha = true});
      break;
  }
  return out;
}

// A cache of gray images of different sizes, with a box each, in `file`.
void write_cache(const std::filesystem::path& file, Kind kind) {
  const RecordEncoding encoding = kind == Kind::raw ? RecordEncoding::raw : RecordEncoding::file;
  CocoFile coco;
  coco.categories = {{.id = 1, .name = "a"}};
  CacheWriter writer(file, {.encoding = encoding});
  for (int i = 0; i < images; ++i) {
    const Image image{.width = 400 - 30 * i,
                      .height = 150 + 40 * i,
                      .rgb = std::vector<std::uint8_t>(std::size_t{3} * (400 - 30 * i) * (150 + 40 * i), 99)};
    const std::vector<std::byte> record = encoded(image, kind);
    coco.images.push_back(
        {.id = i, .file_name = fmt::format("{}.jpg", i), .width = image.width, .height = image.height});
    coco.annotations.push_back(
        {.id = i + 1, .image_id = i, .category_id = 1, .bbox = {10, 10, 60.0 + i, 70}, .area = 1});
    writer.add({encoding, record, image.width, image.height});
  }
  writer.finish(coco);
}

TEST(LoaderMemory, NothingIsAllocatedOnceEverySizeWasSeen) {
  for (const Kind kind : {Kind::raw, Kind::jpeg, Kind::png}) {
    const std::filesystem::path file =
        std::filesystem::path(testing::TempDir()) / fmt::format("loader_memory_{}.cache", ::getpid());
    write_cache(file, kind);
    const Dataset dataset = open_dataset(file, "train2017");
    // One worker, so that it is sure to have met every image; no crops, so that sizes do not vary.
    Loader loader(dataset, {.batch_size = images, .threads = 1, .augment = {.crop = false}});
    for (int i = 0; i < 8; ++i) loader.next();
    const std::size_t before = allocations;
    for (int i = 0; i < 20; ++i) loader.next();
    EXPECT_EQ(allocations - before, 0u) << static_cast<int>(kind);
    std::filesystem::remove(file);
  }
}

// Images of 48 MB each when decoded; one thread holds no more of them than it has to.
TEST(CacheMemory, GrowsWithTheImagesAtWorkOnly) {
  const std::filesystem::path folder =
      std::filesystem::path(testing::TempDir()) / fmt::format("cache_memory_{}", ::getpid());
  std::filesystem::create_directories(folder);
  constexpr std::size_t image_bytes = std::size_t{3} * 4000 * 4000;
  {
    std::vector<std::byte> jpeg;
    encode_jpeg({4000, 4000, std::vector<std::uint8_t>(image_bytes, 99)}, 90, jpeg);
    std::ofstream(folder / "a.jpg", std::ios::binary)
        .write(reinterpret_cast<const char*>(jpeg.data()), static_cast<std::streamsize>(jpeg.size()));
  }
  CocoFile coco;
  coco.categories = {{.id = 1, .name = "a"}};
  for (int i = 0; i < 6; ++i) {
    coco.images.push_back({.id = i, .file_name = "a.jpg", .width = 4000, .height = 4000});
    coco.annotations.push_back(
        {.id = i, .image_id = i, .category_id = 1, .bbox = {10, 10, 60, 70}, .area = 1});
  }
  std::ofstream(folder / "a.json") << write_coco(coco);
  const auto peak = [&](const CacheOptions& options) {
    most_held = held.load();
    const std::size_t before = held;
    build_cache({folder / "a.json", folder}, folder / "a.cache", options);
    return most_held - before;
  };
  EXPECT_LT(peak({.encoding = RecordEncoding::file}), image_bytes / 2);                 // rows only
  EXPECT_LT(peak({.encoding = RecordEncoding::file, .quality = 80}), 3 * image_bytes);  // two at work
  EXPECT_LT(peak({.encoding = RecordEncoding::raw}), 4 * image_bytes);  // 128 MiB, and one in the making
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace ssd
