// A file on its way: bytes in FILE.part, what is there in FILE.part.json.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "prepare/download/download_http.h"

namespace ssd {

// What is to be written to one disk.
struct DiskDemand {
  std::filesystem::path folder;  // one on that disk
  std::uint64_t bytes = 0;
};

// Adds what FILE.part still needs to the demand on its disk; makes the file's folder.
void add_demand(const std::filesystem::path& file, std::uint64_t bytes,
                std::map<std::uint64_t, DiskDemand>& demands);
// Throws Error where the disk has too little room.
void check_demand(const DiskDemand& demand);

// Segment i holds the bytes from i * segment_bytes on. Writing is allowed from several threads, each in its
// own segment. A note of finished segments is kept beside the bytes, so that a killed process loses little.
class PartialFile {
 public:
  // Takes up FILE.part where its note says that it belongs to the same remote file (size and ETag), else
  // starts afresh. Throws Error when another process holds it or has just completed it.
  PartialFile(std::filesystem::path file, const RemoteFile& remote, std::uint64_t segment_bytes);
  ~PartialFile();
  PartialFile(const PartialFile&) = delete;
  PartialFile& operator=(const PartialFile&) = delete;

  std::uint64_t bytes() const { return remote_.bytes; }
  std::uint64_t resumed_bytes() const { return resumed_bytes_; }
  std::vector<std::size_t> missing() const;  // segments not there yet
  std::uint64_t begin_of(std::size_t segment) const { return segment * segment_bytes_; }
  std::uint64_t end_of(std::size_t segment) const;

  void write(std::uint64_t offset, std::span<const std::byte> bytes);
  // Marks a segment as there; true when it was the last one.
  bool finish(std::size_t segment);
  // Writes the note to disk, after the bytes it speaks of.
  void save();

  const std::filesystem::path& part_path() const { return part_; }
  // Gives the complete file its name and removes the note.
  void publish();
  // Removes bytes and note: they are wrong.
  void discard();

 private:
  void open();
  bool load();
  void save_locked();

  std::filesystem::path file_, part_, note_;
  RemoteFile remote_;
  std::uint64_t segment_bytes_;
  std::uint64_t resumed_bytes_ = 0;
  int descriptor_ = -1;
  mutable std::mutex mutex_;
  std::string done_;  // '1' or '0' a segment
  std::chrono::steady_clock::time_point saved_{};
};

}  // namespace ssd
