#include "eval/detections_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <optional>
#include <string_view>
#include <utility>

#include "base/budgets.h"
#include "base/error.h"
#include "eval/detections_json.h"

namespace ssd {
namespace {

constexpr std::string_view white_space = " \t\r\n";
constexpr std::size_t window = std::size_t{64} << 10;  // read to find a comma in
constexpr std::size_t padding = 64;  // that parse_detections() would make room for

// A regular file, read by any number of threads.
class OpenFile {
 public:
  explicit OpenFile(const std::string& path) : descriptor_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {
    struct stat status {};
    if (descriptor_ >= 0 && ::fstat(descriptor_, &status) == 0 && S_ISREG(status.st_mode))
      size_ = static_cast<std::size_t>(status.st_size);
  }
  ~OpenFile() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;

  std::size_t size() const { return size_; }  // 0 for what is none

  // Puts the bytes from `from` to `to` behind `text`; false where they cannot be read.
  bool append(std::size_t from, std::size_t to, std::string& text) const {
    const std::size_t before = text.size();
    text.resize(before + (to - from));
    for (std::size_t done = 0; from + done < to;) {
      const ssize_t got = ::pread(descriptor_, text.data() + before + done, to - from - done,
                                  static_cast<off_t>(from + done));
      if (got <= 0) return false;
      done += static_cast<std::size_t>(got);
    }
    return true;
  }

 private:
  int descriptor_;
  std::size_t size_ = 0;
};

// The first comma between what ends and what begins like an object.
std::size_t find_comma(std::string_view text) {
  for (std::size_t end = text.find('}'); end != std::string_view::npos; end = text.find('}', end + 1)) {
    const std::size_t comma = text.find_first_not_of(white_space, end + 1);
    if (comma == std::string_view::npos || text[comma] != ',') continue;
    const std::size_t next = text.find_first_not_of(white_space, comma + 1);
    if (next != std::string_view::npos && text[next] == '{') return comma;
  }
  return std::string_view::npos;
}

struct Piece {
  std::size_t begin, end;  // bytes of the file: elements of the list, with the commas between them
};

// Where the list's brackets stand, with all between them; nothing where the file is not a list.
std::optional<Piece> find_list(const OpenFile& file) {
  const std::size_t part = std::min(window, file.size());
  std::string head, tail;
  if (!file.append(0, part, head) || !file.append(file.size() - part, file.size(), tail)) return {};
  const std::size_t first = head.find_first_not_of(white_space), last = tail.find_last_not_of(white_space);
  if (first == std::string::npos || head[first] != '[' || last == std::string::npos || tail[last] != ']')
    return {};
  return Piece{first + 1, file.size() - part + last};
}

std::vector<Piece> pieces_of(const OpenFile& file, const Piece& list, std::size_t piece_bytes) {
  std::vector<Piece> pieces;
  std::size_t begin = list.begin;
  std::string text;
  for (std::size_t at = begin + piece_bytes; at < list.end; at = std::max(at, begin) + piece_bytes) {
    text.clear();
    if (!file.append(at, std::min(at + window, list.end), text)) return {};
    const std::size_t comma = find_comma(text);
    if (comma == std::string::npos) continue;
    pieces.push_back({begin, at + comma});
    begin = at + comma + 1;
  }
  pieces.push_back({begin, list.end});
  return pieces;
}

// A comma may also lie in a text, or in a list of objects within a detection: then the piece before it is no
// list, since up to there it reads as the file does. Nothing as soon as a piece is none.
std::optional<std::vector<DetectedBox>> read_pieces(const std::string& path, ThreadPool& pool,
                                                    std::size_t piece_bytes) {
  const OpenFile file(path);
  if (file.size() <= piece_bytes || file.size() > budget::json.bytes) return {};
  const std::optional<Piece> list = find_list(file);
  if (!list) return {};
  const std::vector<Piece> pieces = pieces_of(file, *list, piece_bytes);
  std::vector<std::vector<DetectedBox>> parts(pieces.size());
  std::atomic<bool> failed = pieces.empty();
  pool.parallel_for(pieces.size(), [&](std::size_t i) {
    if (failed) return;
    std::string text;
    text.reserve(pieces[i].end - pieces[i].begin + 2 + padding);
    text = "[";
    if (!file.append(pieces[i].begin, pieces[i].end, text)) {
      failed = true;
      return;
    }
    text += "]";
    try {
      parts[i] = parse_detections(std::move(text), path);
    } catch (const Error&) {
      failed = true;
    }
  });
  if (failed) return {};
  std::size_t count = 0;
  for (const auto& part : parts) count += part.size();
  std::vector<DetectedBox> detections;
  detections.reserve(count);
  for (auto& part : parts) {
    detections.insert(detections.end(), part.begin(), part.end());
    std::vector<DetectedBox>().swap(part);
  }
  return detections;
}

}  // namespace

std::vector<DetectedBox> read_detections(const std::string& path, ThreadPool& pool, std::size_t piece_bytes) {
  if (auto detections = read_pieces(path, pool, piece_bytes)) return *std::move(detections);
  return read_detections(path);  // which says what is wrong, and where
}

}  // namespace ssd
