// Image files on their way through reading, the network, and drawing.
#pragma once

#include <cstddef>
#include <deque>
#include <span>
#include <string>
#include <vector>

#include "detect/batches_in_flight.h"
#include "detect/file_workers.h"
#include "detect/image_detector.h"
#include "detect/predictor.h"

namespace ssd {

// What detect_files() does. The caller's thread feeds the network and hands out what is done, in the order of
// the files; workers read the files and, once their objects are known, draw.
class FilePipeline {
 public:
  FilePipeline(Predictor& predictor, std::span<const CocoCategory> categories,
               std::span<const std::string> files, const DetectFilesOptions& options);

  void run();

 private:
  using Stage = FileOnItsWay::Stage;

  void read_ahead();
  void look_at(const FilePointer& file);
  void start_batch();
  void finish_oldest_batch();
  // After a failure of the network's: the images before it are only a matter of time.
  void hand_out_what_left_the_network();
  void hand_out_the_oldest();  // which is done
  void hand_out_what_is_done();
  void bring_through_the_oldest();

  Predictor& predictor_;
  std::span<const std::string> files_;
  const DetectFilesOptions& options_;
  std::size_t most_on_their_way_;

  std::deque<FilePointer> on_their_way_;  // in the order of the files
  std::size_t looked_at_ = 0;             // of them, from the front: unread or in the network's hands
  std::size_t handed_out_ = 0;            // files
  std::deque<Tensor> images_;         // u8 (batch, 300, 300, 3): in flight, then the one that is being filled
  std::vector<FilePointer> filling_;  // the files of the last
  std::deque<std::vector<FilePointer>> in_network_;
  BatchesInFlight in_flight_;
  FileWorkers workers_;
};

}  // namespace ssd
