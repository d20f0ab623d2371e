#include "storage/file_bytes.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/error.h"
#include "base/memory.h"

namespace ssd {
namespace {

// A file descriptor that closes itself.
class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int number() const { return number_; }

 private:
  int number_;
};

}  // namespace

std::span<const std::byte> read_file(const std::string& file, std::vector<std::byte>& buffer) {
  const Descriptor descriptor(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat status {};
  if (descriptor.number() < 0 || ::fstat(descriptor.number(), &status) != 0)
    throw Error("{}: {}", file, std::strerror(errno));
  if (!S_ISREG(status.st_mode)) throw Error("{}: this is no regular file", file);
  if (status.st_size == 0) throw Error("{}: the file is empty", file);
  const auto bytes = static_cast<std::size_t>(status.st_size);
  if (bytes > largest_file)
    throw Error("{}: got {} bytes, expected at most {}; this is no image of use", file, bytes, largest_file);
  if (buffer.size() < bytes) with_memory(bytes, file, [&] { buffer.resize(bytes); });
  std::size_t done = 0;
  while (done < bytes) {
    const ssize_t got =
        ::pread(descriptor.number(), buffer.data() + done, bytes - done, static_cast<off_t>(done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw Error("{}: {} at byte {}", file, std::strerror(errno), done);
    if (got == 0) break;  // it was cut meanwhile
    done += static_cast<std::size_t>(got);
  }
  return {buffer.data(), done};
}

}  // namespace ssd
