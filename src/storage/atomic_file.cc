#include "storage/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>
#include <system_error>
#include <utility>

#include "base/error.h"

namespace ssd {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view temporary_mark = ".tmp-";

[[noreturn]] void fail(const fs::path& path, std::string_view action, int code) {
  throw Error("{}: cannot {}: {}; check the path, its permissions and the free space", path.string(), action,
              std::strerror(code));
}

fs::path folder_of(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

// The n-th temporary name for `path`, hidden and beside it, so that the rename stays in one file system.
fs::path temporary_name(const fs::path& path, int attempt) {
  return folder_of(path) /
         fmt::format(".{}{}{}-{}", path.filename().string(), temporary_mark, ::getpid(), attempt);
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
  for (int attempt = 0;; ++attempt) {
    const fs::path aside = temporary_name(path, attempt);
    if (fs::exists(fs::symlink_status(aside))) continue;
    if (::rename(path.c_str(), aside.c_str()) != 0) fail(path, "rename", errno);
    return aside;
  }
}

}  // namespace

AtomicFile::AtomicFile(const fs::path& path) : path_(path) {
  std::error_code ignored;
  const fs::file_status status = fs::status(path_, ignored);
  const bool direct = fs::exists(status) && !fs::is_regular_file(status);
  // Through a symbolic link: the file it names is replaced, not the link. Those of /dev/stdout and the like
  // lead to names that cannot be opened ("pipe:[123]").
  if (!direct && fs::is_symlink(path_, ignored)) {
    std::error_code code;
    path_ = fs::weakly_canonical(path_, code);
    if (code) fail(path, "follow the link", code.value());
  }
  if (fs::is_directory(status)) fail(path_, "write", EISDIR);
  if (direct) {
    descriptor_ = ::open(path_.c_str(), O_WRONLY | O_CLOEXEC);
    if (descriptor_ < 0) fail(path_, "open", errno);
    return;
  }
  for (int attempt = 0; descriptor_ < 0; ++attempt) {
    staging_ = temporary_name(path_, attempt);
    descriptor_ = ::open(staging_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor_ < 0 && errno != EEXIST) fail(path_, "create", errno);
  }
}

AtomicFile::~AtomicFile() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  if (!staging_.empty()) ::unlink(staging_.c_str());
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
    if (written < 0 && errno != EINTR) fail(path_, "write", errno);
    if (written > 0) bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
}

void AtomicFile::write(std::string_view text) { write(std::as_bytes(std::span(text))); }

void AtomicFile::commit() {
  if (!staging_.empty() && ::fsync(descriptor_) != 0) fail(path_, "sync", errno);
  const int code = ::close(std::exchange(descriptor_, -1)) == 0 ? 0 : errno;
  if (staging_.empty()) {
    if (code != 0) fail(path_, "close", code);
    return;
  }
  if (code != 0 || ::rename(staging_.c_str(), path_.c_str()) != 0) {
    const int reason = code != 0 ? code : errno;
    ::unlink(staging_.c_str());
    fail(path_, "write", reason);
  }
  sync_folder(folder_of(path_));
}

void write_file_atomically(const fs::path& path, std::string_view content) {
  AtomicFile file(path);
  file.write(content);
  file.commit();
}

AtomicDirectory::AtomicDirectory(fs::path path) : path_(without_trailing_slash(std::move(path))) {
  for (int attempt = 0;; ++attempt) {
    staging_ = temporary_name(path_, attempt);
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

bool is_temporary_name(std::string_view name) {
  if (name.size() < 2 || name.front() != '.') return false;
  const std::size_t mark = name.rfind(temporary_mark);
  if (mark == std::string_view::npos || mark < 2) return false;
  const std::string_view tail = name.substr(mark + temporary_mark.size());  // PID-N
  return !tail.empty() && tail.find_first_not_of("0123456789-") == std::string_view::npos;
}

}  // namespace ssd
