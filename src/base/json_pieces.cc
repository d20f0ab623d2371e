#include "base/json_pieces.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

namespace ssd {
namespace {

constexpr std::size_t window = std::size_t{64} << 10;  // read to find a comma in

std::size_t find_comma(std::string_view text) {
  for (std::size_t end = text.find('}'); end != std::string_view::npos; end = text.find('}', end + 1)) {
    const std::size_t comma = text.find_first_not_of(json_white_space, end + 1);
    if (comma == std::string_view::npos || text[comma] != ',') continue;
    const std::size_t next = text.find_first_not_of(json_white_space, comma + 1);
    if (next != std::string_view::npos && text[next] == '{') return comma;
  }
  return std::string_view::npos;
}

}  // namespace

RangedFile::RangedFile(const std::filesystem::path& path)
    : descriptor_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {
  struct stat status {};
  if (descriptor_ >= 0 && ::fstat(descriptor_, &status) == 0 && S_ISREG(status.st_mode))
    size_ = static_cast<std::size_t>(status.st_size);
}

RangedFile::~RangedFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

bool RangedFile::append(const ByteRange& range, std::string& text) const {
  const std::size_t before = text.size();
  text.resize(before + range.size());
  for (std::size_t done = 0; done < range.size();) {
    const ssize_t got = ::pread(descriptor_, text.data() + before + done, range.size() - done,
                                static_cast<off_t>(range.begin + done));
    if (got <= 0) return false;
    done += static_cast<std::size_t>(got);
  }
  return true;
}

std::vector<ByteRange> pieces_of(const RangedFile& file, const ByteRange& list, std::size_t piece_bytes) {
  std::vector<ByteRange> pieces;
  std::size_t begin = list.begin;
  std::string text;
  for (std::size_t at = begin + piece_bytes; at < list.end; at = std::max(at, begin) + piece_bytes) {
    text.clear();
    if (!file.append({at, std::min(at + window, list.end)}, text)) return {};
    const std::size_t comma = find_comma(text);
    if (comma == std::string::npos) continue;
    pieces.push_back({begin, at + comma});
    begin = at + comma + 1;
  }
  pieces.push_back({begin, list.end});
  return pieces;
}

}  // namespace ssd
