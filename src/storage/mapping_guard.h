// Mapped files that are cut while they are read.
#pragma once

#include <sys/stat.h>

#include <cstddef>
#include <cstdint>
#include <ctime>

namespace ssd {

// Touching a page beyond the end of a file that was cut, or one that the disk cannot give, ends a program by
// the signal SIGBUS. While a guard stands for a mapping, such a page reads as zeros instead, and the guard is
// broken from then on: who has read asks, and throws away what came of it. At most 256 guards stand at a
// time; further ones do nothing.
class MappingGuard {
 public:
  MappingGuard() = default;
  MappingGuard(const void* begin, std::size_t bytes);
  ~MappingGuard();
  MappingGuard(MappingGuard&& other) noexcept;
  MappingGuard& operator=(MappingGuard&& other) noexcept;

  bool is_broken() const;

 private:
  int slot_ = -1;
};

// What tells that a file was written to: a file that has the same is the same, but for writes within the
// clock's tick (some milliseconds).
struct FileStamp {
  std::uint64_t device = 0, inode = 0, bytes = 0;
  std::int64_t seconds = 0, nanoseconds = 0;  // of its last change

  bool operator==(const FileStamp&) const = default;
};
FileStamp stamp_of(const struct stat& status);

}  // namespace ssd
