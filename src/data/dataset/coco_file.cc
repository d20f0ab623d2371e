#include "data/dataset/coco_file.h"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <unordered_set>
#include <utility>

#include "base/budgets.h"
#include "base/error.h"
#include "base/json_pieces.h"
#include "base/text_id.h"

namespace ssd {
namespace {

constexpr std::size_t worth_pieces = std::size_t{4} << 20, piece_bytes = std::size_t{1} << 20;

std::size_t past_white_space(std::string_view text, std::size_t at) {
  return std::min(text.find_first_not_of(json_white_space, at), text.size());
}

// Behind the bracket that opens the list "annotations"; npos where the text does not go as far.
std::size_t find_list_begin(std::string_view text, std::size_t from) {
  constexpr std::string_view key = "\"annotations\"";
  for (std::size_t at = text.find(key, from); at != std::string_view::npos; at = text.find(key, at + 1)) {
    std::size_t next = past_white_space(text, at + key.size());
    if (next == text.size() || text[next] != ':') continue;
    next = past_white_space(text, next + 1);
    if (next < text.size() && text[next] == '[') return next + 1;
  }
  return std::string_view::npos;
}

// The last bracket before `end` that closes a list of objects within an object.
std::size_t find_list_end(std::string_view text, std::size_t end) {
  for (std::size_t at = text.rfind(']', end); at != std::string_view::npos && at > 0;
       at = text.rfind(']', at - 1)) {
    const std::size_t before = text.find_last_not_of(json_white_space, at - 1);
    const std::size_t next = past_white_space(text, at + 1);
    if (before != std::string_view::npos && text[before] == '}' && next < text.size() &&
        (text[next] == ',' || text[next] == '}'))
      return at;
  }
  return std::string_view::npos;
}

bool occurs_once(std::string_view text, std::string_view part) {
  const std::size_t first = text.find(part);
  return first != std::string_view::npos && text.find(part, first + 1) == std::string_view::npos;
}

// A file without its annotations' list, and where that stands.
struct Frame {
  std::string text;  // the file with an empty list
  ByteRange list;
};

// The list begins at the first key of its name; it ends so that the other lists are outside. Whether that is
// right, reading frame and pieces tells: `{... "annotations": [` and `] ...}` read as the file does.
std::optional<Frame> find_frame(const RangedFile& file) {
  constexpr std::size_t step = std::size_t{1} << 20;
  Frame frame;
  std::string& head = frame.text;
  std::size_t begin = std::string::npos;
  for (std::size_t size = 0; begin == std::string::npos && size < file.size();) {
    const std::size_t more = std::min(step, file.size() - size);
    if (!file.append({size, size + more}, head)) return {};
    begin = find_list_begin(head, size - std::min<std::size_t>(size, 64));
    size += more;
  }
  if (begin == std::string::npos) return {};
  head.resize(begin);
  frame.list.begin = begin;

  std::string tail;
  for (std::size_t size = step;; size *= 2) {
    const std::size_t from = std::max(begin, file.size() - std::min(size, file.size()));
    tail.clear();
    if (!file.append({from, file.size()}, tail)) return {};
    for (std::size_t end = find_list_end(tail, tail.size()); end != std::string::npos && end > 0;
         end = find_list_end(tail, end - 1)) {
      const std::string_view rest = std::string_view(tail).substr(end);
      const auto outside = [&](std::string_view key) {
        return occurs_once(head, key) != occurs_once(rest, key);
      };
      if (!outside("\"images\"") || !outside("\"categories\"")) continue;
      frame.list.end = from + end;
      head += rest;
      if (!occurs_once(head, "\"annotations\"")) return {};
      return frame;
    }
    if (from == begin) return {};
  }
}

bool read_frame(const Frame& frame, const std::filesystem::path& path, const CocoReadOptions& options,
                CocoFile& whole) {
  try {
    whole = parse_coco(frame.text, path.string(), options);
    return whole.annotations.empty() && whole.left_out.empty() && whole.mended.empty();
  } catch (const Error&) {
    return false;
  }
}

// The whole file tells which text it is.
bool refers_to_unlisted_text(const CocoFile& coco) {
  std::unordered_set<std::int64_t> listed;
  for (const CocoImage& image : coco.images) listed.insert(image.id);
  for (const CocoCategory& category : coco.categories) listed.insert(category.id);
  const auto is_unlisted = [&](std::int64_t id) { return is_id_of_text(id) && !listed.contains(id); };
  return std::ranges::any_of(coco.annotations, [&](const CocoAnnotation& one) {
    return is_unlisted(one.image_id) || is_unlisted(one.category_id);
  });
}

// Nothing where anything is out of the ordinary: then the file as a whole says what.
std::optional<CocoFile> read_ordinary(const std::filesystem::path& path, const CocoReadOptions& options,
                                      ThreadPool& pool, std::size_t bytes_of_a_piece) {
  const RangedFile file(path);
  if (file.size() == 0 || file.size() > budget::json.bytes) return {};
  const std::optional<Frame> frame = find_frame(file);
  if (!frame) return {};
  CocoFile whole;
  auto annotations = read_in_pieces<CocoAnnotation>(
      file, pieces_of(file, frame->list, bytes_of_a_piece), pool,
      [&](const std::string& text) { return parse_annotations(text, options); },
      [&] { return read_frame(*frame, path, options, whole); });
  if (!annotations) return {};
  whole.annotations = *std::move(annotations);
  if (refers_to_unlisted_text(whole)) return {};
  return whole;
}

}  // namespace

CocoFile read_coco_in_pieces(const std::filesystem::path& file, const CocoReadOptions& options,
                             ThreadPool& pool, std::size_t bytes_of_a_piece) {
  if (auto coco = read_ordinary(file, options, pool, bytes_of_a_piece)) return *std::move(coco);
  return read_whole_coco(file, options);
}

CocoFile read_coco(const std::filesystem::path& file, const CocoReadOptions& options) {
  const std::filesystem::path packed = file.string() + ".gz";
  std::error_code ignored;
  if (!std::filesystem::exists(file, ignored) && std::filesystem::exists(packed, ignored))
    throw Error("{}: there is no such file; unpack {} (gunzip)", file.string(), packed.string());
  if (!std::filesystem::is_regular_file(file, ignored) ||
      std::filesystem::file_size(file, ignored) < worth_pieces)
    return read_whole_coco(file, options);
  ThreadPool pool(available_processors());
  return read_coco_in_pieces(file, options, pool, piece_bytes);
}

}  // namespace ssd
