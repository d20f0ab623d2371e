// A file's bytes, read through the page cache.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>

#include "storage/mapping_guard.h"

namespace ssd {

// A whole regular file mapped read-only; nothing is read before it is touched, and processes that map the
// same file share its memory. A file that is cut or written to while it is mapped reads as zeros or as what
// was written: check_unchanged() tells. The constructor throws Error (file name and reason) for what cannot
// be opened or is no regular file.
class MappedFile {
 public:
  explicit MappedFile(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;

  std::span<const std::byte> bytes() const { return {data_, size_}; }
  const std::string& name() const { return name_; }

  // To be called after what was needed has been read: throws Error where the file is no longer as it was when
  // it was opened.
  void check_unchanged() const;

 private:
  void map();

  std::string name_;
  int descriptor_ = -1;
  FileStamp stamp_;
  const std::byte* data_ = nullptr;  // page-aligned; null for an empty file
  std::size_t size_ = 0;
  MappingGuard guard_;
};

}  // namespace ssd
