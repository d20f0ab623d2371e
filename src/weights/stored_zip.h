// A zip archive whose members are stored as they are, each beginning at a multiple of 64 bytes: what torch.save
// writes, so that PyTorch can map the tensors.
//
// Layout: APPNOTE.TXT of PKWARE, version 6.3.3, without zip64: members and the whole stay below 4 GiB.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "storage/atomic_file.h"

namespace ssd {

// The CRC-32 of zip archives (ISO 3309, reflected polynomial 0xedb88320).
std::uint32_t crc32(std::span<const std::byte> bytes);

// Written piece by piece under a temporary name; commit() makes it appear. The same members give the same bytes.
// Throws Error with the file's name where it cannot be written or grows too large.
class StoredZip {
 public:
  explicit StoredZip(const std::filesystem::path& path) : name_(path.string()), file_(path) {}

  // Names are ASCII and differ.
  void add(const std::string& member, std::span<const std::byte> content);
  void add(const std::string& member, std::string_view content);
  void commit();

 private:
  struct Member {
    std::string name;
    std::uint32_t checksum, size, at;
  };

  void write(std::span<const std::byte> bytes);
  std::uint32_t within_limit(std::uint64_t bytes) const;

  std::string name_;
  AtomicFile file_;
  std::uint64_t position_ = 0;
  std::vector<Member> members_;
};

}  // namespace ssd
