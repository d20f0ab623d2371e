#include "weights/stored_zip.h"

#include <array>
#include <limits>

#include "base/error.h"

namespace ssd {
namespace {

constexpr std::uint64_t alignment = 64;
constexpr std::size_t local_header_bytes = 30, padding_header_bytes = 4;
constexpr std::uint16_t version_needed = 10, padding_id = 0x4246;  // "FB", as PyTorch names its padding
constexpr std::uint16_t date = 0x21;                               // 1980-01-01, zip's first day

constexpr std::array<std::uint32_t, 256> crc_table = [] {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t remainder = byte;
    for (int bit = 0; bit < 8; ++bit)
      remainder = (remainder & 1u) != 0 ? 0xedb88320u ^ (remainder >> 1) : remainder >> 1;
    table[byte] = remainder;
  }
  return table;
}();

// Little-endian numbers, one after the other.
class Record {
 public:
  Record& put(std::uint32_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) bytes_.push_back(static_cast<std::byte>(value >> (8 * i) & 0xffu));
    return *this;
  }
  Record& put(const std::string& text) {
    for (const char c : text) bytes_.push_back(static_cast<std::byte>(c));
    return *this;
  }
  Record& zeros(std::size_t count) {
    bytes_.resize(bytes_.size() + count);
    return *this;
  }
  std::span<const std::byte> bytes() const { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
};

// What local and central headers share: from the needed version to the length of the name.
void put_common(Record& record, const std::string& name, std::uint32_t checksum, std::uint32_t size) {
  record.put(version_needed, 2).put(0, 2).put(0, 2).put(0, 2).put(date, 2);
  record.put(checksum, 4).put(size, 4).put(size, 4).put(static_cast<std::uint32_t>(name.size()), 2);
}

}  // namespace

std::uint32_t crc32(std::span<const std::byte> bytes) {
  std::uint32_t remainder = 0xffffffffu;
  for (const std::byte byte : bytes)
    remainder = crc_table[(remainder ^ std::to_integer<std::uint32_t>(byte)) & 0xffu] ^ (remainder >> 8);
  return ~remainder;
}

void StoredZip::add(const std::string& member, std::span<const std::byte> content) {
  const Member entry{member, crc32(content), within_limit(content.size()), within_limit(position_)};
  const std::uint64_t start = position_ + local_header_bytes + member.size() + padding_header_bytes;
  const std::uint64_t padding = (alignment - start % alignment) % alignment;
  Record header;
  header.put(0x04034b50, 4);
  put_common(header, member, entry.checksum, entry.size);
  header.put(static_cast<std::uint32_t>(padding_header_bytes + padding), 2).put(member);
  header.put(padding_id, 2).put(static_cast<std::uint32_t>(padding), 2).zeros(padding);
  write(header.bytes());
  write(content);
  members_.push_back(entry);
}

void StoredZip::add(const std::string& member, std::string_view content) {
  add(member, std::as_bytes(std::span(content.data(), content.size())));
}

void StoredZip::commit() {
  const std::uint32_t directory_at = within_limit(position_);
  for (const Member& member : members_) {
    Record entry;
    entry.put(0x02014b50, 4).put(version_needed, 2);
    put_common(entry, member.name, member.checksum, member.size);
    // No extra field, no comment, disk 0, no attributes.
    entry.put(0, 2).put(0, 2).put(0, 2).put(0, 2).put(0, 4).put(member.at, 4).put(member.name);
    write(entry.bytes());
  }
  const std::uint32_t directory_bytes = within_limit(position_ - directory_at);
  const auto count = static_cast<std::uint32_t>(members_.size());
  if (count >= std::numeric_limits<std::uint16_t>::max())
    throw Error("{}: got {} members of a zip archive, expected fewer than 65535; use another format", name_,
                count);
  Record end;
  end.put(0x06054b50, 4).put(0, 2).put(0, 2).put(count, 2).put(count, 2);
  end.put(directory_bytes, 4).put(directory_at, 4).put(0, 2);
  write(end.bytes());
  file_.commit();
}

void StoredZip::write(std::span<const std::byte> bytes) {
  file_.write(bytes);
  position_ += bytes.size();
}

std::uint32_t StoredZip::within_limit(std::uint64_t bytes) const {
  if (bytes >= std::numeric_limits<std::uint32_t>::max())
    throw Error("{}: got {} bytes of a zip archive, expected less than 4 GiB; use --format safetensors", name_,
                bytes);
  return static_cast<std::uint32_t>(bytes);
}

}  // namespace ssd
