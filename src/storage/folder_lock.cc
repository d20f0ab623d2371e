#include "storage/folder_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <system_error>

#include "base/error.h"

namespace ssd {
namespace {

// What the holder wrote: its number, which may not be there yet.
std::string holder(int descriptor) {
  std::array<char, 32> text{};
  const ssize_t got = ::pread(descriptor, text.data(), text.size() - 1, 0);
  const std::string number(text.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
  const std::string first = number.substr(0, number.find('\n'));
  return first.find_first_not_of("0123456789") == std::string::npos ? first : "";
}

// An empty file or one that a holder wrote, and no other name of a file that somebody else needs.
bool is_ours(int descriptor) {
  struct stat status {};
  return ::fstat(descriptor, &status) == 0 && status.st_nlink <= 1 &&
         (status.st_size == 0 || !holder(descriptor).empty());
}

}  // namespace

FolderLock::FolderLock(const std::filesystem::path& folder) {
  std::error_code code;
  std::filesystem::create_directories(folder, code);
  if (code) throw Error("{}: cannot create the folder: {}; check the path", folder.string(), code.message());
  const std::string path = folder / "lock";
  descriptor_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0666);
  struct stat status {};
  if (descriptor_ < 0 ? errno == ELOOP : ::fstat(descriptor_, &status) == 0 && !S_ISREG(status.st_mode)) {
    if (descriptor_ >= 0) ::close(descriptor_);
    throw Error("{}: got a link, a pipe or a device, expected a file; remove it or choose another folder",
                path);
  }
  if (descriptor_ < 0)
    throw Error("{}: cannot be written: {}; choose another folder", path, std::strerror(errno));
  if (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    const std::string process = holder(descriptor_);
    ::close(descriptor_);
    throw Error(
        "{}: another process{} is writing to this folder; wait until it ends, or choose another folder",
        folder.string(), process.empty() ? "" : " (" + process + ")");
  }
  const std::string process = std::to_string(::getpid()) + "\n";
  if (!is_ours(descriptor_)) return;  // the lock holds, and the file's content stays
  if (::ftruncate(descriptor_, 0) != 0 ||
      ::pwrite(descriptor_, process.data(), process.size(), 0) != static_cast<ssize_t>(process.size())) {
    // A full disk: the lock holds all the same, it only does not name the process.
  }
}

FolderLock::~FolderLock() { ::close(descriptor_); }

}  // namespace ssd
