#include "data/cache/cache.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <fstream>
#include <thread>

#include "base/error.h"
#include "base/random.h"
#include "data/cache/cache_format.h"
#include "data/cache/cache_writer.h"
#include "data/dataset/dataset.h"
#include "storage/checksum.h"
#include "storage/temporary_name.h"

namespace ssd {
namespace {

class CacheTest : public testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(folder_); }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::filesystem::path scratch(const std::string& name) const { return folder_ / name; }
  // Files under temporary names.
  std::vector<std::filesystem::path> leftovers() const {
    std::vector<std::filesystem::path> found;
    for (const auto& entry : std::filesystem::directory_iterator(folder_))
      if (is_temporary_name(entry.path().filename().string())) found.push_back(entry.path());
    return found;
  }

 private:
  std::filesystem::path folder_ =
      std::filesystem::path(testing::TempDir()) / fmt::format("cache_test_{}", ::getpid());
};

std::vector<std::byte> noise(std::size_t bytes, std::uint64_t key) {
  Random random(1, 2, key);
  std::vector<std::byte> out(bytes);
  for (std::byte& byte : out) byte = static_cast<std::byte>(random.next());
  return out;
}

// Three raw images, the second unreadable, with a box each.
CocoFile write_small(const std::filesystem::path& file) {
  CocoFile coco;
  coco.categories = {{.id = 5, .name = "a \"b\"\n"}};
  CacheWriter writer(file, {.encoding = RecordEncoding::raw, .max_side = 20});
  for (int i = 0; i < 3; ++i) {
    coco.images.push_back({.id = 10 + i, .file_name = fmt::format("{}.jpg", i), .width = 40, .height = 20});
    coco.annotations.push_back({.id = i,
                                .image_id = 10 + i,
                                .category_id = 5,
                                .bbox = {1.1, 2, 3, 4},
                                .area = 12.5,
                                .iscrowd = i == 1});
    const std::vector<std::byte> pixels = noise(20 * 10 * 3, i);
    if (i == 1)
      writer.add({});
    else
      writer.add({RecordEncoding::raw, pixels, 20, 10});
  }
  writer.finish(coco);
  return coco;
}

std::vector<char> contents(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void overwrite(const std::filesystem::path& file, const std::vector<char>& bytes) {
  std::ofstream(file, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

// Where a record begins.
std::uint64_t offset_of(const std::filesystem::path& file, std::size_t i) {
  const std::vector<char> whole = contents(file);
  CacheHeader header;
  std::memcpy(&header, whole.data(), sizeof header);
  CacheEntry entry;
  std::memcpy(&entry, whole.data() + header.index_offset + i * sizeof entry, sizeof entry);
  return entry.offset;
}

bool opens_whole(const std::filesystem::path& file) {
  try {
    return RecordCache(file).verify().size() == 1;  // the unreadable one
  } catch (const Error& error) {
    EXPECT_TRUE(std::string_view(error.what()).starts_with(file.string())) << error.what();
    return false;
  }
}

TEST(Checksum, EqualsTheReferenceImplementation) {
  // By python-xxhash 3 (xxh64, seed 0), over the bytes (7 i + 3) mod 256.
  const std::vector<std::pair<std::size_t, std::uint64_t>> known{
      {0, 0xef46db3751d8e999u},   {1, 0x1f25c8d0bc1f4bb6u},  {3, 0x31d2363f52e564c9u},
      {4, 0x9bb64b7d66ee9fdau},   {7, 0x9a7b149959ce60d8u},  {8, 0xdab99d95c6f90092u},
      {31, 0xa2aa5f33cc4a6119u},  {32, 0x23c3c17ef790fd97u}, {33, 0x50a7cfc7ba588784u},
      {63, 0x5e3e54b431c7493cu},  {64, 0x0eb64b3ef6eeb01fu}, {100, 0xa61f8d4c170fe531u},
      {1000, 0x5f235fa033f1a3fbu}};
  for (const auto& [size, hash] : known) {
    std::vector<std::byte> bytes(size);
    for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(7 * i + 3);
    EXPECT_EQ(xxh64(bytes), hash) << size << " bytes";
  }
}

TEST_F(CacheTest, GivesBackRecordsAndAnnotations) {
  const std::filesystem::path file = scratch("whole.cache");
  const CocoFile coco = write_small(file);
  EXPECT_TRUE(is_cache_file(file));
  const RecordCache cache(file);
  ASSERT_EQ(cache.size(), 3u);
  EXPECT_EQ(cache.encoding(), RecordEncoding::raw);
  EXPECT_EQ(cache.max_side(), 20);
  EXPECT_EQ(write_coco(cache.annotations()), write_coco(coco));
  for (const std::size_t i : {0u, 2u}) {
    const Record record = cache.record(i);
    EXPECT_EQ(record.width, 20);
    EXPECT_EQ(record.height, 10);
    const std::vector<std::byte> expected = noise(600, i);
    EXPECT_TRUE(std::ranges::equal(record.bytes, expected));
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(record.bytes.data()) % cache_alignment, 0u);
    cache.prefetch({.record = static_cast<std::uint32_t>(i)});
  }
  EXPECT_THROW(cache.record(1), Error);
  EXPECT_EQ(cache.verify().size(), 1u);
  EXPECT_TRUE(leftovers().empty());
}

TEST_F(CacheTest, FindsEveryChangedByteAndEveryCut) {
  const std::filesystem::path file = scratch("changed.cache"), copy = scratch("copy.cache");
  write_small(file);
  ASSERT_TRUE(opens_whole(file));
  const std::vector<char> whole = contents(file);
  CacheHeader header;
  std::memcpy(&header, whole.data(), sizeof header);
  std::size_t accepted = 0;
  for (std::size_t i = 0; i < whole.size(); ++i) {
    std::vector<char> bytes = whole;
    bytes[i] = static_cast<char>(bytes[i] ^ 0x10);
    overwrite(copy, bytes);
    accepted += opens_whole(copy);
  }
  // What may change unseen are the zeros between the parts.
  const std::size_t parts = sizeof header + 2 * 600 + header.annotations_bytes + 3 * sizeof(CacheEntry);
  EXPECT_EQ(accepted, whole.size() - parts);
  for (std::size_t size = 0; size < whole.size(); size += 7) {
    overwrite(copy, std::vector<char>(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)));
    EXPECT_FALSE(opens_whole(copy)) << size;
  }
  std::vector<char> longer = whole;
  longer.push_back(0);
  overwrite(copy, longer);
  EXPECT_FALSE(opens_whole(copy));
}

TEST_F(CacheTest, CutWhileInUseIsAnErrorNotASignal) {
  const std::filesystem::path file = scratch("cut.cache");
  write_small(file);
  const RecordCache cache(file);
  EXPECT_EQ(cache.record(0).width, 20);
  std::filesystem::resize_file(file, 100);
  cache.prefetch({.record = 2});
  for (const std::size_t i : {0, 2}) EXPECT_THROW(cache.record(i), Error);
}

TEST_F(CacheTest, OverwrittenWhileInUseIsAnErrorNotOtherPixels) {
  const std::filesystem::path file = scratch("overwritten.cache");
  write_small(file);
  const RecordCache cache(file);
  const Record record = cache.record(0);
  const Sample sample{.record = 0}, other{.record = 2};
  EXPECT_NO_THROW(cache.check_used(sample));
  ::usleep(20000);  // more than a tick of the clock
  std::fstream bytes(file, std::ios::in | std::ios::out | std::ios::binary);
  bytes.seekp(static_cast<std::streamoff>(offset_of(file, 0)) + 100);
  bytes.put(static_cast<char>(record.bytes[100] ^ std::byte{1})).flush();
  EXPECT_THROW(cache.check_used(sample), Error) << "it was loaded before";
  EXPECT_THROW(cache.record(0), Error);
  EXPECT_EQ(cache.record(2).width, 20) << "the others are as they were";
  EXPECT_NO_THROW(cache.check_used(other));
}

TEST_F(CacheTest, CutWhileARecordIsUsedIsAnErrorNotASignal) {
  const std::filesystem::path file = scratch("cut-in-use.cache");
  write_small(file);
  const RecordCache cache(file);
  const Record record = cache.record(2);
  std::filesystem::resize_file(file, 0);
  EXPECT_EQ(record.bytes[0], std::byte{0});
  EXPECT_THROW(cache.check_used({.record = 2}), Error);
}

TEST_F(CacheTest, RefusesImpossibleNumbersUnderRightChecksums) {
  const std::filesystem::path file = scratch("numbers.cache"), copy = scratch("forged.cache");
  write_small(file);
  const std::vector<char> whole = contents(file);
  const auto forged = [&](auto change) {
    std::vector<char> bytes = whole;
    CacheHeader header;
    std::memcpy(&header, bytes.data(), sizeof header);
    auto* index = reinterpret_cast<CacheEntry*>(bytes.data() + header.index_offset);
    change(header, index);
    header.index_hash = xxh64(std::as_bytes(std::span(index, 3)));
    header.header_hash =
        xxh64(std::as_bytes(std::span(&header, 1)).first(offsetof(CacheHeader, header_hash)));
    std::memcpy(bytes.data(), &header, sizeof header);
    overwrite(copy, bytes);
    return opens_whole(copy);
  };
  constexpr std::uint64_t huge = ~std::uint64_t{0} - 63;
  EXPECT_TRUE(forged([](CacheHeader&, CacheEntry*) {}));
  EXPECT_FALSE(forged([](CacheHeader& h, CacheEntry*) { h.images = huge / 32; }));
  EXPECT_FALSE(forged([](CacheHeader& h, CacheEntry*) { h.images = 2; }));
  EXPECT_FALSE(forged([](CacheHeader& h, CacheEntry*) { h.annotations_bytes = huge; }));
  EXPECT_FALSE(forged([](CacheHeader& h, CacheEntry*) { h.annotations_offset = huge; }));
  EXPECT_FALSE(forged([](CacheHeader& h, CacheEntry*) { h.index_offset = huge; }));
  EXPECT_FALSE(forged([](CacheHeader& h, CacheEntry*) { h.encoding = 3; }));
  EXPECT_FALSE(forged([](CacheHeader& h, CacheEntry*) { h.version = 2; }));
  EXPECT_FALSE(forged([](CacheHeader&, CacheEntry* e) { e[0].offset = huge; }));
  EXPECT_FALSE(forged([](CacheHeader&, CacheEntry* e) { e[0].bytes = huge; }));
  EXPECT_FALSE(forged([](CacheHeader&, CacheEntry* e) { e[0].width = 21; }));
  EXPECT_FALSE(forged([](CacheHeader&, CacheEntry* e) { e[2].width = e[2].height = 0xffffffffu; }));
}

TEST_F(CacheTest, WriterThatGivesUpLeavesNothing) {
  const std::filesystem::path file = scratch("given-up.cache");
  {
    CacheWriter writer(file, {});
    const std::vector<std::byte> pixels = noise(300, 0);
    writer.add({RecordEncoding::raw, pixels, 10, 10});
    EXPECT_THROW(CacheWriter(file, {}), Error) << "two writers of one file";
  }
  EXPECT_FALSE(std::filesystem::exists(file));
  EXPECT_TRUE(leftovers().empty());
  EXPECT_THROW(CacheWriter(scratch("no/such/folder/x.cache"), {}), Error);
}

TEST_F(CacheTest, WriterReplacesALinkAndNotWhatItLeadsTo) {
  const std::filesystem::path other = scratch("other.cache"), file = scratch("link.cache");
  write_small(other);
  const std::vector<char> before = contents(other);
  std::filesystem::create_symlink(other, file);
  std::filesystem::create_symlink(other, file.string() + ".partial");
  CocoFile none;
  CacheWriter(file, {}).finish(none);
  EXPECT_FALSE(std::filesystem::is_symlink(file));
  EXPECT_EQ(contents(other), before);
}

TEST_F(CacheTest, ReplacesNothingButRecordCaches) {
  const std::filesystem::path file = scratch("x.cache");
  write_small(file);
  write_small(file);
  const auto refused = [](const std::filesystem::path& name) {
    try {
      CacheWriter(name, {});
    } catch (const Error& error) {
      return std::string(error.what()).find("no record cache") != std::string::npos;
    }
    return false;
  };
  EXPECT_TRUE(refused("/dev/null"));
  overwrite(file, {'t', 'e', 'x', 't'});
  EXPECT_TRUE(refused(file));
  EXPECT_EQ(contents(file).size(), 4u);
  EXPECT_TRUE(leftovers().empty());
}

// Kills writers at moments spread over a whole writing: what is found under the name afterwards is nothing or
// a whole cache, and what lies beside it never opens.
TEST_F(CacheTest, KilledWriterLeavesNoFileThatOpensDamaged) {
  const std::filesystem::path file = scratch("killed.cache");
  int killed = 0;
  for (int moment = 0; moment < 40; ++moment) {
    std::filesystem::remove(file);
    const pid_t child = ::fork();
    if (child == 0) {
      while (true) write_small(file);
    }
    std::this_thread::sleep_for(std::chrono::microseconds(300 * moment));
    ::kill(child, SIGKILL);
    int status = 0;
    ::waitpid(child, &status, 0);
    killed += WIFSIGNALED(status);
    if (std::filesystem::exists(file)) {
      EXPECT_TRUE(opens_whole(file));
    }
    for (const std::filesystem::path& partial : leftovers()) {
      // Only a writer killed between its last write and the renaming leaves a whole one.
      try {
        EXPECT_EQ(RecordCache(partial).verify().size(), 1u);
      } catch (const Error&) {
      }
    }
  }
  EXPECT_EQ(killed, 40);
  write_small(file);
  EXPECT_TRUE(opens_whole(file));
  EXPECT_TRUE(leftovers().empty());
}

}  // namespace
}  // namespace ssd
