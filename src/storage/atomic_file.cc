#include "storage/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <iterator>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "base/error.h"
#include "storage/temporary_name.h"

namespace ssd {
namespace fs = std::filesystem;
namespace {

[[noreturn]] void fail(const fs::path& path, std::string_view action, int code) {
  throw Error("{}: cannot {}: {}; check the path, its permissions and the free space", path.string(), action,
              std::strerror(code));
}

void sync_path(const fs::path& path, int flags) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | flags);
  if (descriptor < 0) fail(path, "open to sync", errno);
  // Some network file systems refuse fsync of a folder (EINVAL); their renames are synchronous.
  const int code = ::fsync(descriptor) == 0 ? 0 : errno;
  ::close(descriptor);
  if (code != 0 && code != EINVAL) fail(path, "sync", code);
}

void sync_folder(const fs::path& path) { sync_path(path, O_DIRECTORY); }

fs::path without_trailing_slash(fs::path path) { return path.has_filename() ? path : path.parent_path(); }

// Renames `path` to a fresh temporary name and returns that name.
fs::path move_aside(const fs::path& path) {
  fs::path aside = temporary_name(path);
  if (::rename(path.c_str(), aside.c_str()) != 0) fail(path, "rename", errno);
  return aside;
}

void write_all(int descriptor, const fs::path& path, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno != EINTR) fail(path, "write", errno);
    if (written > 0) bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
}

// A link that the system made, as /dev/stdout and /proc/self/fd/1: nobody else can.
bool is_link_of_the_system(const fs::path& path) {
  std::error_code ignored;
  if (!fs::is_symlink(path, ignored)) return false;
  const fs::path folder = fs::canonical(folder_of(path), ignored);
  const std::string first = std::next(folder.begin()) == folder.end() ? "" : *std::next(folder.begin());
  return first == "dev" || first == "proc";
}

bool is_stream(const fs::path& path) {
  std::error_code ignored;
  const fs::file_status named = fs::symlink_status(path, ignored);
  const fs::file_status status = is_link_of_the_system(path) ? fs::status(path, ignored) : named;
  return fs::exists(status) && !fs::is_regular_file(status) && !fs::is_symlink(status) &&
         !fs::is_directory(status);
}

// Closes itself.
struct Descriptor {
  int number;
  ~Descriptor() {
    if (number >= 0) ::close(number);
  }
};

void write_stream(const fs::path& path, std::string_view content) {
  const Descriptor stream{::open(path.c_str(), O_WRONLY | O_CLOEXEC)};
  if (stream.number < 0) fail(path, "open", errno);
  write_all(stream.number, path, std::as_bytes(std::span(content)));
}

}  // namespace

AtomicFile::AtomicFile(const fs::path& path) : path_(path) {
  std::error_code ignored;
  const fs::file_status status = fs::symlink_status(path_, ignored);
  if (fs::is_directory(status)) fail(path_, "write", EISDIR);
  if (fs::exists(status) && !fs::is_regular_file(status) && !fs::is_symlink(status))
    throw Error("{}: got a pipe or a device, expected a file; choose another name", path_.string());
  TemporaryFile file = create_temporary(path_);
  staging_ = std::move(file.path);
  descriptor_ = file.descriptor;
}

AtomicFile::~AtomicFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
  if (!staging_.empty()) ::unlink(staging_.c_str());
}

void AtomicFile::write(std::span<const std::byte> bytes) { write_all(descriptor_, path_, bytes); }

void AtomicFile::write(std::string_view text) { write(std::as_bytes(std::span(text))); }

void AtomicFile::rename() {
  if (::rename(staging_.c_str(), path_.c_str()) != 0) fail(path_, "write", errno);
  staging_.clear();
}

void AtomicFile::commit() {
  if (::fsync(descriptor_) != 0) fail(path_, "sync", errno);
  rename();  // while the file is open: its lock tells others that it is no leftover
  if (::close(std::exchange(descriptor_, -1)) != 0) fail(path_, "close", errno);
  sync_folder(folder_of(path_));
}

void AtomicFile::commit_unsynced() {
  // Network file systems tell of a full disk when the file is closed.
  if (::close(std::exchange(descriptor_, -1)) != 0) fail(path_, "close", errno);
  rename();
}

void write_file_atomically(const fs::path& path, std::string_view content) {
  remove_leftovers_of(path);
  AtomicFile file(path);
  file.write(content);
  file.commit();
}

void write_output(const fs::path& path, std::string_view content) {
  if (is_stream(path))
    write_stream(path, content);
  else
    write_file_atomically(path, content);
}

void copy_file_atomically(const fs::path& from, const fs::path& to) {
  const Descriptor source{::open(from.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  struct stat status {};
  if (source.number < 0 || ::fstat(source.number, &status) != 0) fail(from, "open", errno);
  if (!S_ISREG(status.st_mode)) throw Error("{}: this is no regular file", from.string());
  AtomicFile file(to);
  std::vector<std::byte> buffer(std::size_t{1} << 20);
  while (true) {
    const ssize_t got = ::read(source.number, buffer.data(), buffer.size());
    if (got < 0 && errno != EINTR) fail(from, "read", errno);
    if (got == 0) break;
    if (got > 0) file.write(std::span(buffer).first(static_cast<std::size_t>(got)));
  }
  file.commit_unsynced();
}

AtomicDirectory::AtomicDirectory(fs::path path) : path_(without_trailing_slash(std::move(path))) {
  while (true) {
    staging_ = temporary_name(path_);
    if (::mkdir(staging_.c_str(), 0777) == 0) return;
    if (errno != EEXIST) fail(path_, "create the folder", errno);
  }
}

AtomicDirectory::~AtomicDirectory() {
  std::error_code ignored;
  if (!staging_.empty()) fs::remove_all(staging_, ignored);
}

void AtomicDirectory::commit() {
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(staging_, ignored))
    sync_path(entry.path(), 0);
  sync_folder(staging_);
  if (fs::is_directory(path_, ignored)) {
    // One step where the file system can exchange two names; otherwise the name is missing for a moment.
    if (::renameat2(AT_FDCWD, staging_.c_str(), AT_FDCWD, path_.c_str(), RENAME_EXCHANGE) != 0) {
      const fs::path old = move_aside(path_);
      if (::rename(staging_.c_str(), path_.c_str()) != 0) fail(path_, "rename", errno);
      staging_ = old;
    }
    fs::remove_all(staging_, ignored);  // the old content: a leftover harms nobody
  } else if (::rename(staging_.c_str(), path_.c_str()) != 0) {
    fail(path_, "rename", errno);
  }
  staging_.clear();
  sync_folder(folder_of(path_));
}

void remove_directory_atomically(const fs::path& path) {
  const fs::path aside = move_aside(without_trailing_slash(path));
  std::error_code code;
  fs::remove_all(aside, code);
  if (code) fail(aside, "remove", code.value());
}

}  // namespace ssd
