// One writer a folder.
#pragma once

#include <filesystem>

namespace ssd {

// Holds FOLDER/lock (flock) until it is destroyed or the process ends, however that happens; the file stays,
// and names the process that had it last. The folder is made if it is missing. Throws Error that names the
// process when another one holds it, and where "lock" is a link, a pipe or a device. A file of another
// content is locked and left as it is. A file system without locks is taken as it is.
class FolderLock {
 public:
  explicit FolderLock(const std::filesystem::path& folder);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  int descriptor_ = -1;
};

}  // namespace ssd
