#include "storage/folder_lock.h"

#include <fcntl.h>
#include <sys/file.h>
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
  return number.substr(0, number.find('\n'));
}

}  // namespace

FolderLock::FolderLock(const std::filesystem::path& folder) {
  std::error_code code;
  std::filesystem::create_directories(folder, code);
  if (code) throw Error("{}: cannot create the folder: {}; check the path", folder.string(), code.message());
  const std::string path = folder / "lock";
  descriptor_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
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
  if (::ftruncate(descriptor_, 0) != 0 ||
      ::pwrite(descriptor_, process.data(), process.size(), 0) != static_cast<ssize_t>(process.size())) {
    // A full disk: the lock holds all the same, it only does not name the process.
  }
}

FolderLock::~FolderLock() { ::close(descriptor_); }

}  // namespace ssd
