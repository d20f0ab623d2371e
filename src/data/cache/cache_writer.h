// Writing record cache files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "data/cache/cache.h"
#include "data/cache/cache_format.h"
#include "data/dataset/coco.h"

namespace ssd {

struct CacheKind {
  RecordEncoding encoding = RecordEncoding::raw;
  int max_side = 0;
  int quality = 0;
};

// Writes a file under a temporary name (temporary_name.h), record by record, and gives it its own when it is
// complete and on the disk; a link of that name is replaced. A writer that is destroyed earlier removes it;
// one that is killed leaves a file that does not open and that the next writer removes. Throws Error where
// the disk fails or is full, and where another process is writing the same file, and where FILE is there and
// no record cache.
class CacheWriter {
 public:
  CacheWriter(std::filesystem::path file, const CacheKind& kind);
  ~CacheWriter();
  CacheWriter(const CacheWriter&) = delete;
  CacheWriter& operator=(const CacheWriter&) = delete;

  // The images, in the order of the annotations' images; an empty record stands for an unreadable one.
  void add(const Record& record);
  // The annotations belonging to the records added. Nothing may be added afterwards.
  void finish(const CocoFile& annotations);

  std::uint64_t bytes() const { return offset_; }

 private:
  void open();
  void write(std::span<const std::byte> bytes);
  void pad();
  void write_header(CacheHeader header);
  void publish();

  std::filesystem::path file_, partial_;
  CacheKind kind_;
  int descriptor_ = -1;
  bool finished_ = false;
  std::uint64_t offset_ = 0;
  std::vector<CacheEntry> index_;
};

}  // namespace ssd
