// Making a record cache of a COCO folder's split.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "data/cache/cache.h"
#include "data/dataset/dataset.h"

namespace ssd {

// What the options cost, by bench/cache_cost on 240 images of COCO (at most 640 pixels a side): the
// recipe's training images, 300 x 300 after crop, flip and colours, against those from the files with the
// same random numbers.
//   encoding                    KB an image    mean difference of a byte    PSNR
//   raw, or the files as they are  835, 166                    0               exact
//   JPEG quality 90                     87                  1.4             39.4 dB
//   raw, max-side 400                  345                  2.8             31.5 dB
//   JPEG 90, max-side 512               54                  2.8             32.7 dB
//   JPEG 95, max-side 400               49                  3.5             30.8 dB
//   JPEG 90, max-side 400               35                  3.7             30.5 dB
//   JPEG 80, max-side 400               24                  4.1             30.0 dB
// A smaller image loses detail where a crop is small and has to be enlarged; the boxes stay exact.
struct CacheOptions {
  RecordEncoding encoding = RecordEncoding::raw;
  // Images whose longer side has more pixels are made smaller (antialiased), keeping their aspect; 0: none.
  int max_side = 0;
  // Of RecordEncoding::file, 1 to 100: every image is encoded anew, as JPEG. 0: the files are taken over as
  // they are, but for those made smaller, which become JPEG of `default_quality`.
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

// Writes `file` with every image and annotation of the split: it then stands for the folder, for training
// and evaluation alike. Throws Error for options that do not go together, for annotations that cannot be
// read, if no image can be read, and as CacheWriter does.
CacheReport build_cache(const CocoPaths& paths, const std::filesystem::path& file,
                        const CacheOptions& options, const CacheProgress& progress = {});

// The same of annotations in memory; all their images have a size.
struct CacheSource {
  const CocoFile& coco;
  std::filesystem::path images;  // the folder that names of images lead from
  std::string name;              // of the annotations, for messages
};
CacheReport build_cache(const CacheSource& source, const std::filesystem::path& file,
                        const CacheOptions& options, const CacheProgress& progress = {});

}  // namespace ssd
