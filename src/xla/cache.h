// Compiled programs on disk, so that a second start need not compile.
#pragma once

#include <optional>
#include <string>

namespace ssd::xla {

// A folder of files named by a hash of their key. An entry is written under a temporary name and renamed, and
// read back only when its whole key, its length and its checksum agree: anything else counts as absent. What
// cannot be written is not kept; a cache never fails a run.
class ProgramCache {
 public:
  // An empty folder name: keeps nothing.
  explicit ProgramCache(std::string folder) : folder_(std::move(folder)) {}

  // $XDG_CACHE_HOME/singleshot or ~/.cache/singleshot; empty where neither variable is set.
  static std::string default_folder();

  std::optional<std::string> find(const std::string& key) const;
  void store(const std::string& key, const std::string& bytes) const;
  std::string path_of(const std::string& key) const;

 private:
  std::string folder_;
};

}  // namespace ssd::xla
