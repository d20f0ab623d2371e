#include "eval/detections_file.h"

#include <algorithm>
#include <atomic>
#include <optional>
#include <string_view>
#include <utility>

#include "base/budgets.h"
#include "base/error.h"
#include "base/json_pieces.h"
#include "eval/detections_json.h"

namespace ssd {
namespace {

constexpr std::string_view white_space = " \t\r\n";
constexpr std::size_t window = std::size_t{64} << 10;  // at either end, to find the list in
constexpr std::size_t padding = 64;                    // that parse_detections() would make room for

// Where the list's brackets stand, with all between them; nothing where the file is not a list.
std::optional<ByteRange> find_list(const RangedFile& file) {
  const std::size_t part = std::min(window, file.size());
  std::string head, tail;
  if (!file.append({0, part}, head) || !file.append({file.size() - part, file.size()}, tail)) return {};
  const std::size_t first = head.find_first_not_of(white_space), last = tail.find_last_not_of(white_space);
  if (first == std::string::npos || head[first] != '[' || last == std::string::npos || tail[last] != ']')
    return {};
  return ByteRange{first + 1, file.size() - part + last};
}

// Nothing as soon as a piece is no list.
std::optional<std::vector<DetectedBox>> read_pieces(const std::string& path, ThreadPool& pool,
                                                    std::size_t piece_bytes) {
  const RangedFile file(path);
  if (file.size() <= piece_bytes || file.size() > budget::json.bytes) return {};
  const std::optional<ByteRange> list = find_list(file);
  if (!list) return {};
  const std::vector<ByteRange> pieces = pieces_of(file, *list, piece_bytes);
  std::vector<std::vector<DetectedBox>> parts(pieces.size());
  std::atomic<bool> failed = pieces.empty();
  pool.parallel_for(pieces.size(), [&](std::size_t i) {
    if (failed) return;
    std::string text;
    text.reserve(pieces[i].size() + 2 + padding);
    text = "[";
    if (!file.append(pieces[i], text)) {
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
