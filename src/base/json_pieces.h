// A long JSON list of objects cut into shorter lists, which threads can read apart.
//
// Where to cut is guessed: at commas between what ends and what begins like an object. Such a comma may also
// lie in a text, or in a list within an object. Then the piece before it is no list of its own: up to there
// it reads as the file does. So if every piece reads as a list, together they are the file's list; and if one
// does not, the file has to be read as a whole.
#pragma once

#include <atomic>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/thread_pool.h"

namespace ssd {

inline constexpr std::string_view json_white_space = " \t\r\n";

// Bytes of a file.
struct ByteRange {
  std::size_t begin = 0, end = 0;

  std::size_t size() const { return end - begin; }
};

// A regular file from which any number of threads may read.
class RangedFile {
 public:
  explicit RangedFile(const std::filesystem::path& path);
  ~RangedFile();
  RangedFile(const RangedFile&) = delete;
  RangedFile& operator=(const RangedFile&) = delete;

  std::size_t size() const { return size_; }  // 0 for what cannot be opened or is no regular file

  // Puts the bytes behind `text`; false where they cannot be read.
  bool append(const ByteRange& range, std::string& text) const;

 private:
  int descriptor_;
  std::size_t size_ = 0;
};

// The elements of the list whose elements and commas are `list`, cut about every `piece_bytes`; the commas at
// the cuts are left out. Empty where the file cannot be read.
std::vector<ByteRange> pieces_of(const RangedFile& file, const ByteRange& list, std::size_t piece_bytes);

// The list's items. `parse` takes a piece as a list of its own, in brackets; `beside`, where given, runs
// along with it. Any thread of the pool calls them. Nothing where one of them refuses, by nothing or by
// false.
template <typename Item>
std::optional<std::vector<Item>> read_in_pieces(
    const RangedFile& file, const std::vector<ByteRange>& pieces, ThreadPool& pool,
    const std::function<std::optional<std::vector<Item>>(std::string)>& parse,
    const std::function<bool()>& beside = {}) {
  constexpr std::size_t padding = 64;  // that simdjson would make room for
  std::vector<std::vector<Item>> parts(pieces.size());
  std::atomic<bool> refused = pieces.empty();
  const auto read = [&](std::size_t i) {
    std::string text;
    text.reserve(pieces[i].size() + 2 + padding);
    text = "[";
    if (!file.append(pieces[i], text)) return false;
    auto part = parse(std::move(text += "]"));
    if (part) parts[i] = *std::move(part);
    return part.has_value();
  };
  pool.parallel_for(pieces.size() + 1, [&](std::size_t i) {
    if (refused) return;
    if (i == 0 ? beside && !beside() : !read(i - 1)) refused = true;
  });
  if (refused) return {};
  std::size_t count = 0;
  for (const auto& part : parts) count += part.size();
  std::vector<Item> items;
  items.reserve(count);
  for (auto& part : parts) {
    items.insert(items.end(), part.begin(), part.end());
    std::vector<Item>().swap(part);
  }
  return items;
}

}  // namespace ssd
