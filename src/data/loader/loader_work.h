// What the sources of the loader share: a batch being made, and a worker's memory.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <vector>

#include "boxes/match.h"
#include "data/loader/loader.h"

namespace ssd {

inline double loader_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

struct Loader::Work {
  struct Bad {
    std::size_t slot = 0;
    BadImage image;
  };

  Batch batch;
  int buffer = 0;                      // its place among the loader's
  std::vector<std::uint32_t> samples;  // (N) as planned
  std::vector<std::uint32_t> epochs;   // (N)
  std::size_t planned = 0;             // slots to fill: batch.valid
  std::size_t filled = 0;
  std::vector<Bad> bad;
  std::size_t replaced = 0;
  std::exception_ptr error;
};

struct Loader::Worker {
  Augmenter augmenter;
  std::vector<std::byte> file;
  std::vector<LabeledBox> kept;
  std::vector<Box> boxes;
  MatchScratch scratch;
  LoaderTimes times;  // of the sample at hand

  Worker(const AugmentOptions& options, int max_boxes) : augmenter(options) {
    kept.reserve(static_cast<std::size_t>(max_boxes));
    boxes.reserve(static_cast<std::size_t>(max_boxes));
  }
};

}  // namespace ssd
