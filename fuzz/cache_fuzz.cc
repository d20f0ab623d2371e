// Record caches: any file is opened or refused, and the records of one that opens can be read. The input's
// first byte says which checksums to put right before, so that damage gets past them.
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "data/cache/cache.h"
#include "data/cache/cache_format.h"
#include "data/dataset/dataset.h"
#include "storage/checksum.h"

namespace {

std::span<const std::byte> part(const std::vector<std::byte>& file, std::uint64_t offset,
                                std::uint64_t bytes) {
  if (offset > file.size() || bytes > file.size() - offset) return {};
  return std::span(file).subspan(offset, bytes);
}

void repair(std::vector<std::byte>& file, unsigned what) {
  ssd::CacheHeader header;
  if (file.size() < sizeof header) return;
  std::memcpy(&header, file.data(), sizeof header);
  if (what & 1u) header.file_bytes = file.size();
  if (what & 2u)
    header.annotations_hash = ssd::xxh64(part(file, header.annotations_offset, header.annotations_bytes));
  if (what & 4u)
    header.index_hash = ssd::xxh64(part(file, header.index_offset, header.images * sizeof(ssd::CacheEntry)));
  header.header_hash =
      ssd::xxh64(std::as_bytes(std::span(&header, 1)).first(offsetof(ssd::CacheHeader, header_hash)));
  std::memcpy(file.data(), &header, sizeof header);
}

std::size_t sum_of_records(const ssd::RecordCache& cache) {
  std::size_t sum = 0;
  for (std::size_t i = 0; i < cache.size(); ++i) {
    cache.prefetch({.record = static_cast<std::uint32_t>(i)});
    try {
      for (const std::byte value : cache.record(i).bytes) sum += static_cast<std::size_t>(value);
    } catch (const ssd::Error&) {
    }
  }
  return sum + cache.verify().size();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto* bytes = reinterpret_cast<const std::byte*>(data);
  std::vector<std::byte> file(bytes + 1, bytes + size);
  if (data[0] & 8u) repair(file, data[0]);
  const int descriptor = ::memfd_create("fuzz.cache", 0);
  if (descriptor < 0 || ::write(descriptor, file.data(), file.size()) != static_cast<ssize_t>(file.size()))
    std::abort();
  try {
    const ssd::RecordCache cache("/proc/self/fd/" + std::to_string(descriptor));
    volatile std::size_t sum = sum_of_records(cache);
    static_cast<void>(sum);
  } catch (const ssd::Error&) {
  }
  ::close(descriptor);
  return 0;
}
