#include "data/cache/cache_writer.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cassert>
#include <cerrno>
#include <cstring>

#include "base/error.h"
#include "storage/checksum.h"
#include "storage/temporary_name.h"

namespace ssd {

CacheWriter::CacheWriter(std::filesystem::path file, const CacheKind& kind)
    : file_(std::move(file)), kind_(kind) {
  open();
  offset_ = sizeof(CacheHeader);
  pad();
}

CacheWriter::~CacheWriter() {
  if (descriptor_ < 0) return;
  if (!finished_) ::unlink(partial_.c_str());
  ::close(descriptor_);
}

void CacheWriter::open() {
  const std::filesystem::file_status status = std::filesystem::status(file_);
  if (std::filesystem::is_directory(status))
    throw Error("{}: this is a folder, expected the name of a file to write", file_.string());
  if (std::filesystem::exists(status) && !(std::filesystem::is_regular_file(status) && is_cache_file(file_)))
    throw Error("{}: is there already, and no record cache; choose another name or remove it",
                file_.string());
  if (remove_leftovers_of(file_).live > 0)
    throw Error("{}: another process is writing it; wait for it or choose another name", file_.string());
  TemporaryFile temporary = create_temporary(file_);
  partial_ = std::move(temporary.path);
  descriptor_ = temporary.descriptor;
}

void CacheWriter::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t wrote = ::pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(offset_));
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0)
      throw Error("{}: {} at byte {}; is the disk full?", file_.string(), std::strerror(errno), offset_);
    offset_ += static_cast<std::uint64_t>(wrote);
    bytes = bytes.subspan(static_cast<std::size_t>(wrote));
  }
}

// The bytes skipped are zeros: the file never held others.
void CacheWriter::pad() { offset_ = (offset_ + cache_alignment - 1) / cache_alignment * cache_alignment; }

void CacheWriter::add(const Record& record) {
  assert(!finished_ && (record.bytes.empty() || record.encoding == kind_.encoding));
  pad();
  index_.push_back({.offset = offset_,
                    .bytes = record.bytes.size(),
                    .hash = xxh64(record.bytes),
                    .width = static_cast<std::uint32_t>(record.width),
                    .height = static_cast<std::uint32_t>(record.height)});
  write(record.bytes);
}

void CacheWriter::finish(const CocoFile& annotations) {
  assert(!finished_ && annotations.images.size() == index_.size());
  const std::string text = write_coco(annotations);
  const auto text_bytes = std::as_bytes(std::span(text));
  const auto index_bytes = std::as_bytes(std::span(index_));
  CacheHeader header{.magic = cache_magic,
                     .version = cache_version,
                     .encoding = static_cast<std::uint32_t>(kind_.encoding),
                     .max_side = static_cast<std::uint32_t>(kind_.max_side),
                     .quality = static_cast<std::uint32_t>(kind_.quality),
                     .images = index_.size()};
  pad();
  header.annotations_offset = offset_;
  header.annotations_bytes = text_bytes.size();
  header.annotations_hash = xxh64(text_bytes);
  write(text_bytes);
  pad();
  header.index_offset = offset_;
  header.index_hash = xxh64(index_bytes);
  write(index_bytes);
  header.file_bytes = offset_;
  write_header(header);
  publish();
}

void CacheWriter::write_header(CacheHeader header) {
  // With no index at all, the file would end before its last padding.
  if (::ftruncate(descriptor_, static_cast<off_t>(header.file_bytes)) != 0 || ::fsync(descriptor_) != 0)
    throw Error("{}: {}; is the disk full?", file_.string(), std::strerror(errno));
  const auto bytes = std::as_bytes(std::span(&header, 1));
  header.header_hash = xxh64(bytes.first(offsetof(CacheHeader, header_hash)));
  offset_ = 0;
  write(bytes);
  offset_ = header.file_bytes;
  if (::fsync(descriptor_) != 0)
    throw Error("{}: {}; is the disk full?", file_.string(), std::strerror(errno));
}

void CacheWriter::publish() {
  if (::rename(partial_.c_str(), file_.c_str()) != 0)
    throw Error("{}: cannot be renamed to {}: {}", partial_.string(), file_.string(), std::strerror(errno));
  finished_ = true;
  const int descriptor = ::open(folder_of(file_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;  // the name is given; only its survival of a power cut is left to the system
  ::fsync(descriptor);
  ::close(descriptor);
}

}  // namespace ssd
