// The threads that read image files for a network, and draw on them what it found.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <exception>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "base/spares.h"
#include "base/thread_pool.h"
#include "data/loader/augment.h"
#include "detect/image_detector.h"
#include "detect/predictor.h"

namespace ssd {

// A file on its way to its objects.
struct FileOnItsWay {
  enum class Stage { reading, read, in_batch, in_network, leaving, done };

  Stage stage = Stage::reading;  // who has it: the workers while reading and leaving, else the caller
  DetectedImage image;
  std::vector<std::byte> bytes;      // the file, until it is drawn
  std::vector<std::uint8_t> pixels;  // the network's input, until it stands in a batch
  std::string unread, undrawn;       // reasons
  std::exception_ptr failure;        // that ends all work
};
using FilePointer = std::shared_ptr<FileOnItsWay>;

// Destroyed once what they were given is done.
class FileWorkers {
 public:
  using Stage = FileOnItsWay::Stage;
  using Outputs = std::shared_ptr<const std::vector<Tensor>>;  // of a batch

  FileWorkers(const Predictor& predictor, std::span<const CocoCategory> categories,
              const DetectFilesOptions& options)
      : predictor_(predictor), categories_(categories), options_(options), pool_(options.threads) {}

  // From reading to read: with pixels, or a reason why not.
  void read(const FilePointer& file);
  // From leaving to done: finds the objects of image `place` of the batch, and draws them where wanted.
  void conclude(const FilePointer& file, const Outputs& outputs, int place);

  Stage stage_of(const FileOnItsWay& file);
  void set_stage(FileOnItsWay& file, Stage stage);
  void wait_while(const FileOnItsWay& file, Stage stage);
  // Of the files that were read and are not done.
  std::size_t bytes_in_memory();

 private:
  void read_now(FileOnItsWay& file);
  void conclude_now(FileOnItsWay& file, const std::vector<Tensor>& outputs, int place);
  void find_objects(DetectedImage& image, const std::vector<Tensor>& outputs, int place) const;
  void draw(FileOnItsWay& file) const;

  const Predictor& predictor_;
  std::span<const CocoCategory> categories_;
  const DetectFilesOptions& options_;
  Spares<Augmenter> augmenters_;
  std::mutex mutex_;  // of what follows, and of every file's stage
  std::condition_variable moved_;
  std::size_t bytes_ = 0;
  ThreadPool pool_;  // last: its tasks use the rest
};

}  // namespace ssd
