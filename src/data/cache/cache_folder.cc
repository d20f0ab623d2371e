#include "data/cache/cache_folder.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <system_error>

#include "data/cache/cache.h"
#include "data/dataset/split_name.h"
#include "image/format.h"

namespace ssd {

namespace fs = std::filesystem;

CacheFolder find_caches(const fs::path& folder) {
  std::vector<fs::path> found;
  std::error_code ignored;  // what cannot be looked into holds nothing
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, ignored))
    if (entry.is_regular_file(ignored) && !is_image_name(entry.path()) && is_cache_file(entry.path()))
      found.push_back(entry.path());
  std::ranges::sort(found);
  const auto take = [&](SplitRole role) -> std::optional<fs::path> {
    const auto one = std::ranges::find_if(
        found, [&](const fs::path& file) { return split_role(file.stem().string()) == role; });
    if (one == found.end()) return std::nullopt;
    fs::path file = *one;
    found.erase(one);
    return file;
  };
  CacheFolder caches{.train = take(SplitRole::train), .val = take(SplitRole::val), .unused = {}};
  if (!caches.val) caches.val = take(SplitRole::test);
  const auto unnamed = std::ranges::count_if(
      found, [](const fs::path& file) { return split_role(file.stem().string()) == SplitRole::none; });
  if (!caches.train && unnamed == 1) caches.train = take(SplitRole::none);
  caches.unused = std::move(found);
  return caches;
}

std::vector<fs::path> CacheFolder::all() const {
  std::vector<fs::path> files;
  for (const auto& one : {train, val})
    if (one) files.push_back(*one);
  files.insert(files.end(), unused.begin(), unused.end());
  return files;
}

std::string CacheFolder::to_text() const {
  std::vector<std::string> parts, rest;
  if (train) parts.push_back("training " + train->filename().string());
  if (val) parts.push_back("validation " + val->filename().string());
  for (const fs::path& file : unused) rest.push_back(file.filename().string());
  if (!rest.empty()) parts.push_back(fmt::format("not used: {}", fmt::join(rest, ", ")));
  return fmt::format("record caches: {}", fmt::join(parts, ", "));
}

}  // namespace ssd
