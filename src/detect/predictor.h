// A trained network that looks at images.
#pragma once

#include <memory>
#include <vector>

#include "base/thread_pool.h"
#include "detect/detector.h"
#include "graph/device.h"
#include "model/options.h"

namespace ssd {

// Inference on a device, followed by post-processing on the host. Batches are of a fixed size; a smaller last
// one is padded by the caller.
class Predictor {
 public:
  struct Options {
    std::int64_t batch = 8;  // images a replica
    DetectorOptions detector;
  };
  Predictor(graph::Device& device, const model::ModelOptions& model, const Options& options);

  // Takes weights by state_dict names; batch norms are folded on the way.
  void load(const TensorMap& weights);

  // Images a batch, over all replicas.
  std::int64_t batch() const { return batch_; }

  // Starts on images u8 (batch, 300, 300, 3), which must stay unchanged until their result was taken.
  void start(const Tensor& images);
  // The outputs of the oldest batch in flight: loc and conf, as in NetworkOutputs.
  std::vector<Tensor> finish_outputs() { return program_->finish(); }
  // The detections of `count` of a batch's images, from image `first` on. Any thread may
  // call it while the predictor works on another batch.
  std::vector<std::vector<Detection>> detections(const std::vector<Tensor>& outputs, int first, int count,
                                                 ThreadPool* pool = nullptr) const;
  // Both, of the first `valid` images.
  std::vector<std::vector<Detection>> finish(int valid, ThreadPool* pool = nullptr) {
    return detections(finish_outputs(), 0, valid, pool);
  }
  // Waits for the oldest batch in flight without its detections.
  void discard() { program_->discard(); }
  // How many batches may be in flight.
  int depth() const { return program_->depth(); }

 private:
  model::ModelOptions model_;
  DetectorOptions detector_;
  std::int64_t batch_;
  std::unique_ptr<graph::Program> program_;
};

}  // namespace ssd
