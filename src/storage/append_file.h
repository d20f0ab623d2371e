// A file that is added to at its end: a run's log and its curves.
#pragma once

#include <filesystem>
#include <string_view>

namespace ssd {

// Opened for appending and made if it is missing. A link, a pipe or a device of that name is refused: it
// would have what it leads to written to. Every piece is written at once, so that what a killed program added
// stays readable. All functions throw Error with the file's name and the system's reason.
class AppendFile {
 public:
  explicit AppendFile(std::filesystem::path path);
  ~AppendFile();
  AppendFile(const AppendFile&) = delete;
  AppendFile& operator=(const AppendFile&) = delete;

  // Adds all of it. Where that fails in the middle (a full disk), what was added of it is taken back.
  void append(std::string_view bytes);

  // Brings everything to the disk.
  void flush();

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  int descriptor_ = -1;
};

}  // namespace ssd
