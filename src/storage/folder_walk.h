// Every file below some folders.
#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <vector>

namespace ssd {

// Names that begin with a dot and folders of macOS archives ("__MACOSX") are passed over. Links to folders
// are followed, but for folders that were seen already; they come after all folders, in the order of their
// names: where a folder can be reached both ways, its files are known by its own path.
class FolderWalk {
 public:
  struct Unreadable {
    std::filesystem::path path;  // a folder, or a link that leads nowhere
    std::string reason;          // the system's
  };

  enum class Depth { all, one };  // one: the files of the folder itself

  // `except` is passed over; empty: nothing is.
  explicit FolderWalk(const std::filesystem::path& except = {}, Depth depth = Depth::all);

  // Adds what is below `root`. Nothing is thrown for what cannot be read.
  void add(const std::filesystem::path& root);

  const std::vector<std::filesystem::path>& files() const { return files_; }  // in no order
  const std::vector<Unreadable>& unreadable() const { return unreadable_; }
  // Sub-folders that were not entered for the depth.
  const std::vector<std::filesystem::path>& folders_left() const { return folders_left_; }

 private:
  void scan(const std::filesystem::path& folder, std::vector<std::filesystem::path>& links);
  void add_entry(const std::filesystem::directory_entry& entry, std::vector<std::filesystem::path>& links);

  std::filesystem::path except_;
  Depth depth_;
  std::set<std::filesystem::path> seen_;  // folders, without links in their paths
  std::vector<std::filesystem::path> files_;
  std::vector<Unreadable> unreadable_;
  std::vector<std::filesystem::path> folders_left_;
};

}  // namespace ssd
