// Files and folders that appear whole or not at all, whatever ends the program or the machine on the way.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string_view>

namespace ssd {

// A file written under a temporary name beside its own (temporary_name.h) and renamed when complete: a reader
// sees the old content or the new, never a part. A link of that name is replaced, not what it leads to, so
// that nobody who may plant one can have another file overwritten. What is not committed is removed by the
// destructor, what a killed writer left by the next one that calls remove_leftovers_of(). All functions throw
// Error with the file's name and the system's reason; a folder, pipe or device of that name is refused.
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
  // The same without waiting for the disk: whole for every reader, but a power cut may take it. For files
  // that are many and can be made again.
  void commit_unsynced();

 private:
  void rename();

  std::filesystem::path path_;
  std::filesystem::path staging_;
  int descriptor_ = -1;
};

// Writes a whole file that way; what killed writers of it have left is removed.
void write_file_atomically(const std::filesystem::path& path, std::string_view content);

// The same for a name that a user gave: one that is a terminal, a pipe or a device (also through the links of
// /dev and /proc, as /dev/stdout) is written to directly.
void write_output(const std::filesystem::path& path, std::string_view content);

// Copies a regular file's content that way, without waiting for the disk.
void copy_file_atomically(const std::filesystem::path& from, const std::filesystem::path& to);

// A folder filled under a temporary name and renamed when complete. A folder that already
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

}  // namespace ssd
