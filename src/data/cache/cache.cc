#include "data/cache/cache.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <limits>

#include "base/error.h"
#include "data/cache/cache_format.h"
#include "data/dataset/dataset.h"
#include "storage/checksum.h"

namespace ssd {
namespace {

struct Mapping {
  int descriptor = -1;
  const std::byte* data = nullptr;
  std::uint64_t bytes = 0;
  FileStamp stamp;
};

Mapping map_file(const std::filesystem::path& file) {
  const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) throw Error("{}: {}; expected a record cache", file.string(), std::strerror(errno));
  struct stat status {};
  if (::fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode) ||
      status.st_size < static_cast<off_t>(sizeof(CacheHeader))) {
    ::close(descriptor);
    throw Error("{}: got no regular file of at least {} bytes, expected a record cache", file.string(),
                sizeof(CacheHeader));
  }
  const auto bytes = static_cast<std::uint64_t>(status.st_size);
  void* const data = ::mmap(nullptr, bytes, PROT_READ, MAP_SHARED, descriptor, 0);
  if (data == MAP_FAILED) {
    const int error = errno;
    ::close(descriptor);
    throw Error("{}: cannot map {} bytes: {}", file.string(), bytes, std::strerror(error));
  }
  return {descriptor, static_cast<const std::byte*>(data), bytes, stamp_of(status)};
}

std::uint64_t hash_of_header(const CacheHeader& header) {
  return xxh64(std::as_bytes(std::span(&header, 1)).first(offsetof(CacheHeader, header_hash)));
}

constexpr std::uint64_t largest_side = std::numeric_limits<int>::max();

}  // namespace

RecordCache::RecordCache(const std::filesystem::path& file) : file_(file) {
  const Mapping mapping = map_file(file);
  descriptor_ = mapping.descriptor;
  data_ = mapping.data;
  bytes_ = mapping.bytes;
  stamp_ = mapping.stamp;
  guard_ = MappingGuard(data_, bytes_);
  try {
    check_header();
  } catch (...) {
    unmap();
    throw;
  }
}

RecordCache::~RecordCache() { unmap(); }

void RecordCache::unmap() {
  guard_ = {};
  ::munmap(const_cast<std::byte*>(data_), bytes_);
  ::close(descriptor_);
}

void RecordCache::check_header() {
  const std::string name = file_.string();
  CacheHeader header;
  std::memcpy(&header, data_, sizeof header);
  if (header.magic != cache_magic)
    throw Error(
        "{}: this is no record cache, or its writing was interrupted; make it with `singleshot data cache`",
        name);
  if (header.version != cache_version)
    throw Error("{}: got cache version {}, expected {}; make it anew", name, header.version, cache_version);
  if (header.header_hash != hash_of_header(header))
    throw Error("{}: the header's checksum is wrong: the file was damaged; make it anew", name);
  if (header.file_bytes != bytes_)
    throw Error("{}: got {} bytes, expected {}: the file was cut or added to; make it anew", name, bytes_,
                header.file_bytes);
  // Each sum is bounded by the file's size before the next is taken, so none wraps round.
  const bool annotations_fit = header.annotations_offset <= bytes_ &&
                               header.annotations_offset >= sizeof header &&
                               header.annotations_bytes <= bytes_ - header.annotations_offset;
  const bool index_fits = header.index_offset <= bytes_ && header.index_offset % alignof(CacheEntry) == 0 &&
                          header.images <= (bytes_ - header.index_offset) / sizeof(CacheEntry);
  const bool kind_known = header.encoding == 1 || header.encoding == 2;
  if (!annotations_fit || !index_fits || !kind_known || header.max_side > largest_side ||
      header.quality > 100)
    throw Error("{}: the header's offsets, counts or kinds are impossible; make the file anew", name);
  const std::span<const std::byte> annotations(data_ + header.annotations_offset, header.annotations_bytes);
  const auto* const entries = reinterpret_cast<const CacheEntry*>(data_ + header.index_offset);
  index_.assign(entries, entries + header.images);
  if (xxh64(annotations) != header.annotations_hash ||
      xxh64(std::as_bytes(std::span(index_))) != header.index_hash)
    throw Error("{}: the checksum of annotations or index is wrong: the file was damaged; make it anew",
                name);
  encoding_ = static_cast<RecordEncoding>(header.encoding);
  max_side_ = static_cast<int>(header.max_side);
  quality_ = static_cast<int>(header.quality);
  annotations_ = parse_coco({reinterpret_cast<const char*>(annotations.data()), annotations.size()}, name,
                            {.faults = CocoReadOptions::Faults::refuse});
  check_index();
  verified_ = std::vector<std::atomic<bool>>(index_.size());
}

void RecordCache::check_index() const {
  if (index_.size() != annotations_.images.size())
    throw Error("{}: got {} records for {} images; make the file anew", file_.string(), index_.size(),
                annotations_.images.size());
  for (std::size_t i = 0; i < index_.size(); ++i) {
    const CacheEntry& entry = index_[i];
    const bool inside = entry.offset <= bytes_ && entry.bytes <= bytes_ - entry.offset;
    const bool sides = entry.width <= largest_side && entry.height <= largest_side;
    const std::uint64_t pixels = std::uint64_t{entry.width} * entry.height;
    const bool size_fits = encoding_ != RecordEncoding::raw || entry.bytes == 0 ||
                           (pixels > 0 && pixels <= bytes_ && entry.bytes == 3 * pixels);
    if (!inside || !sides || !size_fits)
      throw Error("{}: record {}: got {} x {} pixels in {} bytes at {}, which cannot be; make the file anew",
                  file_.string(), i, entry.width, entry.height, entry.bytes, entry.offset);
  }
}

Record RecordCache::record(std::size_t i) const {
  const CacheEntry& entry = index_[i];
  if (entry.bytes == 0)
    throw Error("{}: could not be read when {} was made", annotations_.images[i].file_name, file_.string());
  if (!is_as_opened() || !verified_[i].load(std::memory_order_relaxed)) {
    check_record(i);
    verified_[i].store(true, std::memory_order_relaxed);
  }
  return {encoding_,
          {data_ + entry.offset, entry.bytes},
          static_cast<int>(entry.width),
          static_cast<int>(entry.height)};
}

bool RecordCache::is_as_opened() const {
  struct stat status {};
  return ::fstat(descriptor_, &status) == 0 && stamp_of(status) == stamp_ && !guard_.is_broken();
}

// A page that the file no longer has reads as zeros (mapping_guard.h), which no checksum fits.
void RecordCache::check_record(std::size_t i) const {
  const CacheEntry& entry = index_[i];
  if (xxh64({data_ + entry.offset, entry.bytes}) == entry.hash) return;
  struct stat status {};
  const std::string& name = annotations_.images[i].file_name;
  if (::fstat(descriptor_, &status) == 0 && static_cast<std::uint64_t>(status.st_size) < bytes_)
    throw Error("{}: got {} bytes, expected {}: the file was cut while in use; make it anew", file_.string(),
                static_cast<std::uint64_t>(status.st_size), bytes_);
  throw Error(
      "{}: the checksum of record {} in {} is wrong: the file was damaged or overwritten; make it anew", name,
      i, file_.string());
}

void RecordCache::check_used(const Sample& sample) const {
  if (!is_as_opened()) check_record(sample.record);
}

ImageSource RecordCache::load(const Sample& sample, std::vector<std::byte>& /*buffer*/) const {
  const Record found = record(sample.record);
  return {found.encoding == RecordEncoding::raw ? ImageSource::Encoding::raw : ImageSource::Encoding::file,
          found.bytes, found.width, found.height};
}

void RecordCache::prefetch(const Sample& sample) const {
  static const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const CacheEntry& entry = index_[sample.record];
  const auto begin = reinterpret_cast<std::uintptr_t>(data_ + entry.offset);
  const std::uintptr_t aligned = begin / page * page;
  // Advice only: where it is refused, the record is read when it is used.
  ::madvise(reinterpret_cast<void*>(aligned), entry.bytes + (begin - aligned), MADV_WILLNEED);
}

std::string RecordCache::pixels() const {
  const bool raw = encoding_ == RecordEncoding::raw;
  std::string made;
  if (max_side_ > 0) made += fmt::format(", max-side {}", max_side_);
  if (quality_ > 0) made += fmt::format(", quality {}", quality_);
  if (!raw && made.empty()) return "files";
  return (raw ? "raw" : "jpeg") + made;
}

std::string RecordCache::description() const {
  switch (encoding_) {
    case RecordEncoding::raw:
      return "raw cache";
    case RecordEncoding::file:
      return "file cache";
  }
  return {};
}

std::vector<std::string> RecordCache::verify() const {
  std::vector<std::string> problems;
  for (std::size_t i = 0; i < index_.size(); ++i) {
    try {
      verified_[i] = false;
      record(i);
    } catch (const Error& error) {
      problems.emplace_back(error.what());
    }
  }
  return problems;
}

bool is_cache_file(const std::filesystem::path& file) {
  std::array<char, cache_magic.size()> magic{};
  std::ifstream in(file, std::ios::binary);
  return in.read(magic.data(), magic.size()) && magic == cache_magic;
}

}  // namespace ssd
