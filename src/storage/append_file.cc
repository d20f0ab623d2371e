#include "storage/append_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/error.h"

namespace ssd {

AppendFile::AppendFile(std::filesystem::path path) : path_(std::move(path)) {
  constexpr int flags = O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
  descriptor_ = ::open(path_.c_str(), flags, 0666);
  const int code = descriptor_ < 0 ? errno : 0;
  struct stat status {};
  // A pipe without a reader cannot be opened at all (ENXIO).
  const bool other = code == ELOOP || code == ENXIO ||
                     (code == 0 && ::fstat(descriptor_, &status) == 0 && !S_ISREG(status.st_mode));
  if (code == 0 && !other) return;
  if (descriptor_ >= 0) ::close(descriptor_);
  if (other)
    throw Error("{}: got a link, a pipe or a device, expected a file; remove it or choose another folder",
                path_.string());
  throw Error("{}: cannot be written: {}; choose another folder", path_.string(), std::strerror(code));
}

AppendFile::~AppendFile() { ::close(descriptor_); }

void AppendFile::append(std::string_view bytes) {
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t written = ::write(descriptor_, bytes.data() + done, bytes.size() - done);
    if (written > 0) done += static_cast<std::size_t>(written);
    if (written >= 0 || errno == EINTR) continue;
    const int code = errno;
    struct stat status {};
    if (done > 0 && ::fstat(descriptor_, &status) == 0 && status.st_size >= static_cast<off_t>(done) &&
        ::ftruncate(descriptor_, status.st_size - static_cast<off_t>(done)) != 0) {
      // Then half a piece stays, which readers of such files pass over.
    }
    throw Error("{}: cannot be written: {}; check the free space", path_.string(), std::strerror(code));
  }
}

void AppendFile::flush() {
  if (::fsync(descriptor_) != 0)
    throw Error("{}: cannot sync: {}; check the free space", path_.string(), std::strerror(errno));
}

}  // namespace ssd
