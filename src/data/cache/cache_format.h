// The layout of record cache files, version 1. All numbers are little-endian.
//
//   CacheHeader                 at 0; its hash covers the header itself up to `header_hash`
//   records                     each at a multiple of 64: pixels (height, width, 3) or an image file
//   annotations                 the JSON text of a COCO instances file
//   index                       one CacheEntry an image of the annotations, in their order
//
// The header is written last, over zeros: a file whose writer was interrupted has no magic.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace ssd {

inline constexpr std::array<char, 8> cache_magic{'S', 'S', 'D', 'C', 'A', 'C', 'H', 'E'};
inline constexpr std::uint32_t cache_version = 1;
inline constexpr std::uint64_t cache_alignment = 64;

struct CacheHeader {
  std::array<char, 8> magic{};
  std::uint32_t version = 0;
  std::uint32_t encoding = 0;  // 1 raw, 2 image files: JPEG, PNG, ... by their first bytes
  std::uint32_t max_side = 0;  // pixels; 0: no limit was set
  std::uint32_t quality = 0;   // of JPEG made anew; 0: the files were taken over as they were
  std::uint64_t file_bytes = 0;
  std::uint64_t images = 0;
  std::uint64_t annotations_offset = 0;
  std::uint64_t annotations_bytes = 0;
  std::uint64_t annotations_hash = 0;
  std::uint64_t index_offset = 0;
  std::uint64_t index_hash = 0;
  std::uint64_t header_hash = 0;
};
static_assert(sizeof(CacheHeader) == 88);

struct CacheEntry {
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;  // 0: the image could not be read when the cache was made
  std::uint64_t hash = 0;
  std::uint32_t width = 0;  // pixels of the record
  std::uint32_t height = 0;
};
static_assert(sizeof(CacheEntry) == 32);

}  // namespace ssd
