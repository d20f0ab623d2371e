#include "storage/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/error.h"

namespace ssd {
MappedFile::MappedFile(const std::filesystem::path& path) : name_(path.string()) {
  descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor_ < 0)
    throw Error("{}: cannot open: {}; check the path and its permissions", name_, std::strerror(errno));
  try {
    map();
  } catch (...) {
    ::close(descriptor_);
    throw;
  }
}

void MappedFile::map() {
  struct stat status = {};
  if (::fstat(descriptor_, &status) != 0)
    throw Error("{}: cannot read: {}; check the disk", name_, std::strerror(errno));
  if (!S_ISREG(status.st_mode))
    throw Error("{}: got {}, expected a file; give the path of one", name_,
                S_ISDIR(status.st_mode) ? "a folder" : "no regular file");
  stamp_ = stamp_of(status);
  size_ = static_cast<std::size_t>(status.st_size);
  if (size_ == 0) return;
  void* const address = ::mmap(nullptr, size_, PROT_READ, MAP_SHARED, descriptor_, 0);
  if (address == MAP_FAILED)
    throw Error("{}: cannot map {} bytes: {}; check the file system and the memory limits", name_, size_,
                std::strerror(errno));
  data_ = static_cast<const std::byte*>(address);
  guard_ = MappingGuard(address, size_);
}

void MappedFile::check_unchanged() const {
  struct stat status = {};
  if (guard_.is_broken() || ::fstat(descriptor_, &status) != 0 || stamp_of(status) != stamp_)
    throw Error("{}: the file was changed while it was being read; let it be written first", name_);
}

MappedFile::~MappedFile() {
  guard_ = {};
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
  if (descriptor_ >= 0) ::close(descriptor_);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : name_(std::move(other.name_)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      stamp_(other.stamp_),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      guard_(std::move(other.guard_)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(name_, other.name_);
  std::swap(descriptor_, other.descriptor_);
  std::swap(stamp_, other.stamp_);
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(guard_, other.guard_);
  return *this;
}

}  // namespace ssd
