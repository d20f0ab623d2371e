#include "storage/temporary_name.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <string>
#include <system_error>
#include <vector>

#include "base/error.h"

namespace ssd {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view temporary_mark = ".tmp-";
// File systems take names of 255 bytes; the mark, two numbers and the dot need less than 40.
constexpr std::size_t most_of_name = 200;

std::uint64_t random_number() {
  std::uint64_t number = 0;
  // Up to 256 bytes are never cut short once the system has its entropy.
  if (::getrandom(&number, sizeof number, 0) != static_cast<ssize_t>(sizeof number))
    throw Error("random numbers: the system gives none: {}", std::strerror(errno));
  return number;
}

// ".NAME.tmp-"
std::string prefix_of(const fs::path& path) {
  std::string name = path.filename().string();
  if (name.size() > most_of_name) {
    std::size_t end = most_of_name;
    while (end > 0 && (static_cast<unsigned char>(name[end]) & 0xc0u) == 0x80u) --end;  // within a character
    name.resize(end);
  }
  return fmt::format(".{}{}", name, temporary_mark);
}

// The process that made a temporary name; 0: it does not tell.
pid_t writer_of(std::string_view name) {
  const std::size_t mark = name.rfind(temporary_mark);
  pid_t process = 0;
  if (mark != std::string_view::npos)
    std::from_chars(name.data() + mark + temporary_mark.size(), name.data() + name.size(), process);
  return process;
}

bool is_alive(pid_t process) { return process > 0 && (::kill(process, 0) == 0 || errno == EPERM); }

enum class Writer { live, gone, unknown };

Writer writer_of_file(const fs::path& path) {
  constexpr std::time_t moment = 10;  // seconds, between a writer's creating its file and locking it
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (descriptor < 0) return Writer::unknown;
  struct stat status {};
  Writer writer = Writer::unknown;
  if (::fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode) && status.st_uid == ::geteuid()) {
    const bool young = std::time(nullptr) - status.st_mtime < moment;
    if (::flock(descriptor, LOCK_EX | LOCK_NB) == 0)
      writer = young && is_alive(writer_of(path.filename().string())) ? Writer::unknown : Writer::gone;
    else if (errno == EWOULDBLOCK)
      writer = Writer::live;
  }
  ::close(descriptor);
  return writer;
}

Leftovers remove_leftovers(const fs::path& folder, std::string_view prefix) {
  Leftovers result;
  std::vector<fs::path> gone;
  std::error_code ignored;
  for (fs::directory_iterator at(folder, ignored), end; !ignored && at != end; at.increment(ignored)) {
    const std::string name = at->path().filename().string();
    if (!name.starts_with(prefix) || !is_temporary_name(name)) continue;
    const Writer writer = writer_of_file(at->path());
    if (writer == Writer::gone) gone.push_back(at->path());
    if (writer == Writer::live) ++result.live;
  }
  for (const fs::path& path : gone) result.removed += ::unlink(path.c_str()) == 0;
  return result;
}

}  // namespace

fs::path folder_of(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

fs::path temporary_name(const fs::path& path) {
  return folder_of(path) / fmt::format("{}{}-{:016x}", prefix_of(path), ::getpid(), random_number());
}

bool is_temporary_name(std::string_view name) {
  if (name.size() < 2 || name.front() != '.') return false;
  const std::size_t mark = name.rfind(temporary_mark);
  if (mark == std::string_view::npos || mark < 2) return false;
  const std::string_view tail = name.substr(mark + temporary_mark.size());  // PID-RANDOM
  const std::size_t dash = tail.find('-');
  return dash != std::string_view::npos && dash > 0 &&
         tail.substr(0, dash).find_first_not_of("0123456789") == std::string_view::npos &&
         dash + 1 < tail.size() &&
         tail.substr(dash + 1).find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

TemporaryFile create_temporary(const fs::path& path) {
  while (true) {
    TemporaryFile file{.path = temporary_name(path)};
    file.descriptor = ::open(file.path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (file.descriptor >= 0) {
      // A file system without locks is taken as it is: such leftovers stay.
      while (::flock(file.descriptor, LOCK_EX | LOCK_NB) != 0 && errno == EINTR) {
      }
      return file;
    }
    if (errno != EEXIST)
      throw Error("{}: cannot create: {}; check the path, its permissions and the free space", path.string(),
                  std::strerror(errno));
  }
}

Leftovers remove_leftovers_of(const fs::path& path) {
  return remove_leftovers(folder_of(path), prefix_of(path));
}

Leftovers remove_leftovers_in(const fs::path& folder) { return remove_leftovers(folder, "."); }

}  // namespace ssd
