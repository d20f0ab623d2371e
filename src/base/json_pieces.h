// A long JSON list of objects cut into shorter lists, which threads can read apart.
//
// Where to cut is guessed: at commas between what ends and what begins like an object. Such a comma may also
// lie in a text, or in a list within an object. Then the piece before it is no list of its own: up to there
// it reads as the file does. So if every piece reads as a list, together they are the file's list; and if one
// does not, the file has to be read as a whole.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace ssd {

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

}  // namespace ssd
