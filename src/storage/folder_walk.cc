#include "storage/folder_walk.h"

#include <algorithm>
#include <system_error>

namespace ssd {

namespace fs = std::filesystem;

FolderWalk::FolderWalk(const fs::path& except, Depth depth) : depth_(depth) {
  std::error_code ignored;  // what cannot be named is not met either
  if (!except.empty()) except_ = fs::weakly_canonical(except, ignored);
}

void FolderWalk::add(const fs::path& root) {
  std::vector<fs::path> places{root};
  while (!places.empty()) {
    std::vector<fs::path> links;
    for (const fs::path& place : places) scan(place, links);
    std::ranges::sort(links);
    places = std::move(links);
  }
}

void FolderWalk::scan(const fs::path& folder, std::vector<fs::path>& links) {
  std::error_code error;
  const fs::path real = fs::canonical(folder, error);
  if (!error && (real == except_ || !seen_.insert(real).second)) return;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error))
    add_entry(*at, links);
  if (error) unreadable_.push_back({folder, error.message()});
}

void FolderWalk::add_entry(const fs::directory_entry& entry, std::vector<fs::path>& links) {
  const std::string name = entry.path().filename().string();
  if (name.starts_with('.') || name == "__MACOSX") return;
  std::error_code error;
  if (entry.is_regular_file(error)) {  // as the folder itself tells: no look at each of many thousand files
    files_.push_back(entry.path());
    return;
  }
  const fs::file_status status = entry.status(error);  // of what a link leads to
  if (!fs::exists(status))
    unreadable_.push_back({entry.path(), error ? error.message() : "the link leads nowhere"});
  else if (!fs::is_directory(status))
    files_.push_back(entry.path());
  else if (depth_ == Depth::one)
    folders_left_.push_back(entry.path());
  else if (entry.is_symlink(error))
    links.push_back(entry.path());
  else
    scan(entry.path(), links);
}

}  // namespace ssd
