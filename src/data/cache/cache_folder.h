// Record caches that lie together in a folder.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace ssd {

struct CacheFolder {
  std::optional<std::filesystem::path> train, val;  // a test split serves as val where there is no other
  std::vector<std::filesystem::path> unused;        // further ones

  bool empty() const { return all().empty(); }
  std::vector<std::filesystem::path> all() const;
  // For people, a line: "record caches: training train.cache, validation val.cache".
  std::string to_text() const;
};

// The caches in the folder itself, by words in their names (split_role()). One alone whose name tells no
// split is for training. Nothing is thrown for what cannot be read.
CacheFolder find_caches(const std::filesystem::path& folder);

}  // namespace ssd
