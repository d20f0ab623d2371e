#include "eval/detections_file.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "base/budgets.h"
#include "base/error.h"
#include "base/json_pieces.h"

namespace ssd {
namespace {

constexpr std::size_t window = std::size_t{64} << 10;  // at either end, to find the list in

// Where the list's brackets stand, with all between them; nothing where the file is not a list.
std::optional<ByteRange> find_list(const RangedFile& file) {
  const std::size_t part = std::min(window, file.size());
  std::string head, tail;
  if (!file.append({0, part}, head) || !file.append({file.size() - part, file.size()}, tail)) return {};
  const std::size_t first = head.find_first_not_of(json_white_space),
                    last = tail.find_last_not_of(json_white_space);
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
  const auto parse = [&](std::string text) -> std::optional<std::vector<DetectedBox>> {
    try {
      return parse_detections(std::move(text), path);
    } catch (const Error&) {
      return {};
    }
  };
  return read_in_pieces<DetectedBox>(file, pieces_of(file, *list, piece_bytes), pool, parse);
}

}  // namespace

std::vector<DetectedBox> read_detections(const std::string& path, ThreadPool& pool, DetectionFaults* faults,
                                         std::size_t piece_bytes) {
  if (auto detections = read_pieces(path, pool, piece_bytes)) return *std::move(detections);
  return read_detections(path, faults);  // which says what is wrong, and where
}

}  // namespace ssd
