// A file's bytes, read through the page cache.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>

namespace ssd {

// A whole regular file mapped read-only; nothing is read before it is touched, and processes that map the
// same file share its memory. The file must not be shortened while it is mapped. The constructor throws Error
// (file name and reason) for what cannot be opened or is no regular file.
class MappedFile {
 public:
  explicit MappedFile(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;

  std::span<const std::byte> bytes() const { return {data_, size_}; }
  const std::string& name() const { return name_; }

 private:
  std::string name_;
  const std::byte* data_ = nullptr;  // page-aligned; null for an empty file
  std::size_t size_ = 0;
};

}  // namespace ssd
