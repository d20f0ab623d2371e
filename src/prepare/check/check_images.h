// Decoding many images to see whether they can be.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "data/cache/cache.h"
#include "image/exif.h"
#include "prepare/check/check.h"

namespace ssd {

struct CheckedImage {
  enum class State { good, missing, broken };
  State state = State::good;
  std::string reason;  // why it is missing or broken
  std::uint64_t bytes = 0;
  int width = 0;  // as stored
  int height = 0;
  int channels = 0;
  int orientation_tag = 1;  // EXIF's, 1 to 8, and what it means
  Orientation orientation;
};

// One for each file, in their order.
std::vector<CheckedImage> check_images(const std::vector<std::filesystem::path>& files,
                                       const CheckOptions& options);

// The same of a cache's records, whose checksums are compared as well.
std::vector<CheckedImage> check_records(const RecordCache& cache, const CheckOptions& options);

// Adds what the images are to the summary.
void summarize_images(const std::vector<CheckedImage>& images, CheckSummary& summary);

CheckSpread spread_of(std::vector<double> values);

}  // namespace ssd
