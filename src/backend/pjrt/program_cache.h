// Compiled programs on disk, so that a second start need not compile.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace ssd::pjrt {

// A folder of files named by a hash of their key. An entry is written under a temporary name and renamed, and
// read back only when its whole key, its length and its checksum agree: anything else counts as absent. When
// all entries together are larger than the limit, those go that were not used for longest. What cannot be
// written is not kept; a cache never fails a run.
class ProgramCache {
 public:
  static constexpr std::uint64_t default_limit = std::uint64_t{2} << 30;

  // An empty folder name: keeps nothing. `limit`: bytes on the disk.
  explicit ProgramCache(std::string folder, std::uint64_t limit = default_limit)
      : folder_(std::move(folder)), limit_(limit) {}

  // $SINGLESHOT_CACHE (a folder; "off": none), $XDG_CACHE_HOME/singleshot or ~/.cache/singleshot; empty for
  // none, also where no variable is set.
  static std::string default_folder();

  std::optional<std::string> find(const std::string& key) const;
  void store(const std::string& key, const std::string& bytes) const;
  std::string path_of(const std::string& key) const;

 private:
  void prune() const;

  std::string folder_;
  std::uint64_t limit_;
};

}  // namespace ssd::pjrt
