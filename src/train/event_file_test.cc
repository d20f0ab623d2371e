#include "train/event_file.h"

#include <gtest/gtest.h>

#include <bit>
#include <chrono>
#include <cstring>
#include <map>
#include <vector>

#include "base/error.h"
#include "storage/crc32c.h"
#include "testing/file_content.h"
#include "testing/temporary_folder.h"

namespace ssd {
namespace {
namespace fs = std::filesystem;

std::uint32_t crc_of(const std::string& text) { return crc32c(std::as_bytes(std::span(text))); }

// RFC 3720, B.4, and the usual check value.
TEST(Crc32c, HasTheKnownAnswers) {
  std::string rising, falling;
  for (int i = 0; i < 32; ++i) {
    rising.push_back(static_cast<char>(i));
    falling.push_back(static_cast<char>(31 - i));
  }
  EXPECT_EQ(crc_of(std::string(32, '\0')), 0x8a9136aau);
  EXPECT_EQ(crc_of(std::string(32, '\xff')), 0x62a8ab43u);
  EXPECT_EQ(crc_of(rising), 0x46dd794eu);
  EXPECT_EQ(crc_of(falling), 0x113fdb5cu);
  EXPECT_EQ(crc_of("123456789"), 0xe3069283u);
}

// --- a reader of its own, from the descriptions of TFRecord and of protobuf's wire format ---

// The checksum bit by bit, not by table.
std::uint32_t slow_masked_crc(const std::string& bytes) {
  std::uint32_t crc = ~0u;
  for (const char c : bytes) {
    crc ^= static_cast<std::uint8_t>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 1u) != 0 ? (crc >> 1) ^ 0x82f63b78u : crc >> 1;
  }
  return std::rotr(~crc, 15) + 0xa282ead8u;
}

template <typename T>
T little_endian(const std::string& bytes) {
  T value;
  std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

std::vector<std::string> records_of(const fs::path& path) {
  const std::string bytes = content_of(path);
  std::vector<std::string> records;
  for (std::size_t at = 0; at < bytes.size();) {
    const std::string prefix = bytes.substr(at, 8);
    const auto size = static_cast<std::size_t>(little_endian<std::uint64_t>(prefix));
    EXPECT_EQ(little_endian<std::uint32_t>(bytes.substr(at + 8, 4)), slow_masked_crc(prefix));
    records.push_back(bytes.substr(at + 12, size));
    EXPECT_EQ(little_endian<std::uint32_t>(bytes.substr(at + 12 + size, 4)), slow_masked_crc(records.back()));
    at += 16 + size;
  }
  return records;
}

std::uint64_t varint(const std::string& bytes, std::size_t& at) {
  std::uint64_t value = 0;
  for (int shift = 0;; shift += 7) {
    const auto byte = static_cast<std::uint8_t>(bytes.at(at++));
    value |= static_cast<std::uint64_t>(byte & 0x7fu) << shift;
    if ((byte & 0x80u) == 0) return value;
  }
}

// Field number -> raw contents, in order.
std::multimap<std::uint64_t, std::string> fields_of(const std::string& message) {
  std::multimap<std::uint64_t, std::string> fields;
  for (std::size_t at = 0; at < message.size();) {
    const std::uint64_t key = varint(message, at);
    std::size_t size = 0;
    switch (key & 7u) {
      case 0: {
        const std::uint64_t value = varint(message, at);
        fields.emplace(key >> 3, std::string(reinterpret_cast<const char*>(&value), 8));
        continue;
      }
      case 1:
        size = 8;
        break;
      case 2:
        size = static_cast<std::size_t>(varint(message, at));
        break;
      case 5:
        size = 4;
        break;
      default:
        ADD_FAILURE() << "wire type " << (key & 7u);
        return fields;
    }
    fields.emplace(key >> 3, message.substr(at, size));
    at += size;
  }
  return fields;
}

TEST(EventFile, StartsWithTheVersion) {
  const TemporaryFolder folder;
  const EventFile file(folder.path() / "logs" / "run");
  EXPECT_EQ(file.path().filename().string().find("events.out.tfevents."), 0u);
  const std::vector<std::string> records = records_of(file.path());
  ASSERT_EQ(records.size(), 1u);
  const auto event = fields_of(records[0]);
  EXPECT_EQ(event.find(3)->second, "brain.Event:2");
}

TEST(EventFile, HoldsScalarsByStep) {
  const TemporaryFolder folder;
  EventFile file(folder.path());
  const auto now = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  file.add(7, std::vector<Scalar>{{"loss", 1.25f}, {"learning_rate", 2.6e-3f}});
  file.add(3'000'000'000, std::vector<Scalar>{{"eval/mAP", -0.5f}});
  file.flush();
  const std::vector<std::string> records = records_of(file.path());
  ASSERT_EQ(records.size(), 3u);

  const auto first = fields_of(records[1]);
  EXPECT_NEAR(little_endian<double>(first.find(1)->second), now, 10);
  EXPECT_EQ(little_endian<std::int64_t>(first.find(2)->second), 7);
  std::map<std::string, float> scalars;
  const auto summary = fields_of(first.find(5)->second);
  for (const auto& [number, bytes] : summary) {
    EXPECT_EQ(number, 1u);
    const auto value = fields_of(bytes);
    scalars[value.find(1)->second] = little_endian<float>(value.find(2)->second);
  }
  EXPECT_EQ(scalars, (std::map<std::string, float>{{"loss", 1.25f}, {"learning_rate", 2.6e-3f}}));
  EXPECT_EQ(little_endian<std::int64_t>(fields_of(records[2]).find(2)->second), 3'000'000'000);
}

// TensorBoard's Event: session_log = 7, whose status = 1 is START = 1; it drops events of that step and
// later.
TEST(EventFile, SaysWhereAResumedRunBegins) {
  const TemporaryFolder folder;
  EventFile file(folder.path());
  file.begin_at(42);
  const std::vector<std::string> records = records_of(file.path());
  ASSERT_EQ(records.size(), 2u);
  const auto event = fields_of(records[1]);
  EXPECT_EQ(little_endian<std::int64_t>(event.find(2)->second), 42);
  const auto session = fields_of(event.find(7)->second);
  EXPECT_EQ(little_endian<std::int64_t>(session.find(1)->second), 1);
}

TEST(EventFile, OfAResumedRunIsANewOne) {
  const TemporaryFolder folder;
  const EventFile first(folder.path());
  const EventFile second(folder.path());
  EXPECT_NE(first.path(), second.path());
}

TEST(EventFile, NamesAFolderItCannotMake) { EXPECT_THROW(EventFile{"/dev/null/logs"}, Error); }

}  // namespace
}  // namespace ssd
