// Measuring the input pipeline: how many images a second it gives, and where the time goes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "data/loader/loader.h"

namespace ssd {

struct DataBenchOptions {
  // What a batch is made of: what the device takes (u8 images and compact targets), or what other pipelines
  // give (f32 normalized NCHW images and a label and offsets for each default box), made by the same
  // workers.
  enum class Output { compact, expanded };

  std::filesystem::path data;  // COCO folder or record cache
  std::string split = "train2017";
  int threads = 1;
  int batch_size = 32;
  int warmup = 8;    // batches before the clock starts
  int batches = 40;  // a repeat
  int repeats = 5;
  std::uint64_t seed = 0;
  Output output = Output::compact;
  AugmentOptions augment;
};

struct DataBenchResult {
  struct Rate {
    double avg = 0, min = 0, median = 0, max = 0;
  };

  DataBenchOptions options;
  std::string source;           // "image files", "raw cache", "file cache"
  Rate images_per_s;            // over the repeats, by the wall clock
  double cpu_ms_per_image = 0;  // of all threads; does not suffer from a busy machine
  LoaderTimes ms_per_image;     // of the workers, a stage each; `wait` is the caller's
  // Memory of the whole program that is no file's (a record cache's pages are), after the warm-up and at the
  // end, in MiB: a loader that runs on does not grow.
  double memory_begin = 0, memory_end = 0;
  std::size_t bad_images = 0;

  std::string to_json() const;  // one line
  std::string to_text() const;  // a few lines for a person
};

// Runs the training pipeline with its recipe's augmentation as a device would that never lets it wait: each
// batch is given back at once. Throws Error as open_dataset and Loader do.
DataBenchResult bench_data(const DataBenchOptions& options);

}  // namespace ssd
