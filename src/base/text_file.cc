#include "base/text_file.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/error.h"
#include "base/memory.h"

namespace ssd {
namespace {

constexpr std::size_t chunk = std::size_t{1} << 20;
constexpr int seconds_for_a_writer = 5;  // to open a pipe

class OpenFile {
 public:
  explicit OpenFile(const std::filesystem::path& path)
      : name_(path.string()), descriptor_(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC)) {
    if (descriptor_ < 0 || ::fstat(descriptor_, &status_) != 0) fail();
    if (S_ISDIR(status_.st_mode)) refuse("a folder");
    if (S_ISCHR(status_.st_mode) || S_ISBLK(status_.st_mode)) refuse("a device");
  }
  ~OpenFile() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;

  bool is_regular() const { return S_ISREG(status_.st_mode); }
  std::size_t size() const { return is_regular() ? static_cast<std::size_t>(status_.st_size) : 0; }

  // Waits for a pipe's writer. 0 at the end.
  std::size_t read(char* to, std::size_t most) {
    while (true) {
      const ssize_t got = ::read(descriptor_, to, most);
      if (got > 0) begun_ = true;
      if (got > 0 || (got == 0 && (begun_ || is_regular()))) return static_cast<std::size_t>(got);
      if (got < 0 && errno != EAGAIN && errno != EINTR) fail();
      // Nothing yet: without a writer (0) it may never come; with one (EAGAIN) the writer decides.
      pollfd waiting{.fd = descriptor_, .events = POLLIN, .revents = 0};
      const int ready = ::poll(&waiting, 1, got == 0 ? 1000 * seconds_for_a_writer : -1);
      if (ready == 0) throw Error("{}: nobody writes to this pipe; start its writer, or give a file", name_);
      if (ready > 0 && (waiting.revents & POLLIN) == 0) begun_ = true;  // opened and closed again: empty
    }
  }

  [[noreturn]] void fail() {
    const int code = errno;
    if (descriptor_ >= 0) ::close(descriptor_);
    descriptor_ = -1;
    throw Error("{}: cannot be read: {}; check the name and the permissions", name_, std::strerror(code));
  }

 private:
  [[noreturn]] void refuse(const char* got) {
    ::close(descriptor_);
    throw Error("{}: got {}, expected a file", name_, got);
  }

  std::string name_;
  int descriptor_;
  struct stat status_ {};
  bool begun_ = false;
};

}  // namespace

std::string read_text_file(const std::filesystem::path& file, const ByteBudget& most) {
  OpenFile source(file);
  const std::size_t room = source.is_regular() ? most.bytes : std::min(most.bytes, budget::pipe.bytes);
  const auto refuse_size = [&] {
    throw Error("{}: got more than {} MiB, expected at most that of {}{}; is this the right file?",
                file.string(), room / budget::mib, most.of, room < most.bytes ? " from a pipe" : "");
  };
  if (source.size() > room) refuse_size();
  std::string text;
  with_memory(source.size() + chunk, file.string(), [&] { text.reserve(source.size() + chunk); });
  for (std::size_t got = 1; got > 0;) {
    const std::size_t size = text.size();
    with_memory(size + chunk, file.string(), [&] { text.resize(size + chunk); });
    got = source.read(text.data() + size, chunk);
    text.resize(size + got);
    if (text.size() > room) refuse_size();
  }
  return text;
}

}  // namespace ssd
