// Making a record cache of a COCO folder's split.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "data/cache.h"
#include "data/dataset.h"

namespace ssd {

struct CacheOptions {
  RecordEncoding encoding = RecordEncoding::raw;
  // Pictures whose longer side has more pixels are made smaller (antialiased), keeping their aspect; 0: none.
  int max_side = 0;
  // Of JPEG, 1 to 100: every picture is encoded anew. 0: the files are taken over as they are, but for those
  // made smaller, which get `default_quality`.
  int quality = 0;
  int threads = 1;

  static constexpr int default_quality = 90;
};

struct CacheReport {
  std::size_t images = 0;
  std::uint64_t bytes = 0;              // of the cache file
  std::vector<std::string> unreadable;  // a message each; these images have an empty record
};

// Called after every few images, from the calling thread; returning false stops the work with an Error.
using CacheProgress = std::function<bool(std::size_t done, std::size_t total)>;

// Writes `file` with every picture and annotation of the split: it then stands for the folder, for training
// and evaluation alike. Throws Error for options that do not go together, for annotations that cannot be
// read, if no picture can be read, and as CacheWriter does.
CacheReport build_cache(const CocoPaths& paths, const std::filesystem::path& file,
                        const CacheOptions& options, const CacheProgress& progress = {});

}  // namespace ssd
