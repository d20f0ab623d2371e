#include "data/dataset_identity.h"

#include <fmt/format.h>

#include <cstring>
#include <filesystem>
#include <span>

#include "data/cache.h"
#include "data/cache_checksum.h"

namespace ssd {
namespace {

template <typename T>
void append(std::string& bytes, const T& value) {
  bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
}

std::string hash_of(const std::vector<Sample>& samples) {
  std::uint64_t hash = 0;
  for (const Sample& sample : samples) {
    std::string bytes;
    append(bytes, hash);
    append(bytes, sample.image_id);
    append(bytes, sample.width);
    append(bytes, sample.height);
    for (const LabeledBox& box : sample.boxes) {
      for (const float edge : {box.box.left, box.box.top, box.box.right, box.box.bottom}) append(bytes, edge);
      append(bytes, box.label);
    }
    bytes += std::filesystem::path(sample.file).filename().string();
    hash = xxh64(std::as_bytes(std::span(bytes)));
  }
  return fmt::format("{:016x}", hash);
}

std::string images_of(const RecordCache& cache) {
  const bool raw = cache.encoding() == RecordEncoding::raw;
  std::string made;
  if (cache.max_side() > 0) made += fmt::format(", max-side {}", cache.max_side());
  if (cache.quality() > 0) made += fmt::format(", quality {}", cache.quality());
  if (!raw && made.empty()) return "files";
  return (raw ? "raw" : "jpeg") + made;
}

}  // namespace

DatasetIdentity identity_of(const Dataset& dataset) {
  return {hash_of(dataset.samples), dataset.cache ? images_of(*dataset.cache) : "files"};
}

}  // namespace ssd
