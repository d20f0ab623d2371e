// Files and folders that appear whole or not at all, whatever ends the program or the machine on the way.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string_view>

namespace ssd {

// A file written under a temporary name beside its own ('.NAME.tmp-PID-N') and renamed when complete: a
// reader sees the old content or the new, never a part. What is not committed is removed by the destructor. A
// path that is no regular file (a terminal, /dev/null, a pipe) is written directly. All functions throw Error
// with the file's name and the system's reason.
class AtomicFile {
 public:
  explicit AtomicFile(const std::filesystem::path& path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(std::span<const std::byte> bytes);
  void write(std::string_view text);

  // Brings the content to the disk (fsync of the file), renames it and brings the name to the disk (fsync of
  // the folder). At most once.
  void commit();

 private:
  std::filesystem::path path_;
  std::filesystem::path staging_;  // empty: written directly
  int descriptor_ = -1;
};

// Writes a whole file that way.
void write_file_atomically(const std::filesystem::path& path, std::string_view content);

// A folder filled under a temporary name ('.NAME.tmp-PID-N') and renamed when complete. A folder that already
// has the name is replaced. The destructor removes what was not committed.
class AtomicDirectory {
 public:
  explicit AtomicDirectory(std::filesystem::path path);
  ~AtomicDirectory();
  AtomicDirectory(const AtomicDirectory&) = delete;
  AtomicDirectory& operator=(const AtomicDirectory&) = delete;

  // The temporary folder: write the files there.
  const std::filesystem::path& staging() const { return staging_; }

  // Brings every file in it to the disk, renames the folder and brings the name to the disk.
  void commit();

 private:
  std::filesystem::path path_;
  std::filesystem::path staging_;
};

// Removes a folder so that it is never seen half empty under its own name: renamed to a temporary name first.
void remove_directory_atomically(const std::filesystem::path& path);

// Whether a file name is one of the temporary names used here (left over by a program that was killed).
bool is_temporary_name(std::string_view name);

}  // namespace ssd
