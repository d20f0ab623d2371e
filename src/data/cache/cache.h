// Record caches: the images and annotations of one split in one file, mapped into memory.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "data/dataset/coco.h"
#include "data/dataset/image_store.h"
#include "storage/mapping_guard.h"

namespace ssd {

struct CacheEntry;

// `file` is any encoded image that image/format.h knows, told by its first bytes.
enum class RecordEncoding : std::uint32_t { raw = 1, file = 2 };

// One image of a cache.
struct Record {
  RecordEncoding encoding = RecordEncoding::raw;
  std::span<const std::byte> bytes;  // raw: (height, width, 3) u8 RGB, upright; file: an image file
  int width = 0;   // pixels. A file taken over as it was may be stored on its side: then these
  int height = 0;  // are the width and height it was annotated with
};

// An open cache file, read-only and shared: any number of threads may use it, and processes share its pages.
// It may be larger than the memory; the system reads and drops its pages as it sees fit.
class RecordCache : public ImageStore {
 public:
  // Maps the file and checks magic, version, sizes, every offset, and the checksums of header, annotations
  // and index; throws Error for a file that is no cache, is torn or was changed. The records' own checksums
  // are compared when each is first used.
  explicit RecordCache(const std::filesystem::path& file);
  ~RecordCache() override;
  RecordCache(const RecordCache&) = delete;
  RecordCache& operator=(const RecordCache&) = delete;

  const std::filesystem::path& file() const { return file_; }
  std::uint64_t bytes() const { return bytes_; }
  RecordEncoding encoding() const { return encoding_; }
  int max_side() const { return max_side_; }  // 0: none was set
  int quality() const { return quality_; }    // of JPEG; 0: the files as they were
  const CocoFile& annotations() const { return annotations_; }
  std::size_t size() const { return annotations_.images.size(); }

  // The image of annotations().images[i]. Throws Error where it could not be read when the cache was made,
  // where its checksum is not as written and where the file was cut meanwhile. Checksums are compared when a
  // record is first used, and each time once the file was written to.
  Record record(std::size_t i) const;

  // Of a sample of a data set made from annotations().
  ImageSource load(const Sample& sample, std::vector<std::byte>& buffer) const override;
  void check_used(const Sample& sample) const override;
  void prefetch(const Sample& sample) const override;
  std::string pixels() const override;
  std::string description() const override;

  // Reads the whole file. Returns a line for each damaged or missing record.
  std::vector<std::string> verify() const;

 private:
  void check_header();
  void check_index() const;
  bool is_as_opened() const;
  void check_record(std::size_t i) const;
  void unmap();

  std::filesystem::path file_;
  int descriptor_ = -1;  // open, to see whether the file is still as it was
  FileStamp stamp_;
  MappingGuard guard_;
  const std::byte* data_ = nullptr;
  std::uint64_t bytes_ = 0;
  RecordEncoding encoding_ = RecordEncoding::raw;
  int max_side_ = 0;
  int quality_ = 0;
  std::vector<CacheEntry> index_;
  CocoFile annotations_;
  mutable std::vector<std::atomic<bool>> verified_;  // records whose checksum was compared and right
};

// True for a file that begins as record caches do; what follows may still be damaged.
bool is_cache_file(const std::filesystem::path& file);

}  // namespace ssd
