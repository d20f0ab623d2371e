// Batches that a predictor works on.
#pragma once

#include <exception>
#include <utility>
#include <vector>

#include "detect/predictor.h"

namespace ssd {

// Counts the batches that were started. What is left of them when the work ends early is waited for, since
// the predictor goes on living and reads their images until then: declare it after these.
class BatchesInFlight {
 public:
  explicit BatchesInFlight(Predictor& predictor) : predictor_(predictor) {}
  ~BatchesInFlight() {
    for (; count_ > 0; --count_) {
      try {
        predictor_.discard();
      } catch (const std::exception&) {  // a step that failed is over as well
      }
    }
  }
  BatchesInFlight(const BatchesInFlight&) = delete;
  BatchesInFlight& operator=(const BatchesInFlight&) = delete;

  void start(const Tensor& images) {
    predictor_.start(images);
    ++count_;
  }
  // The oldest batch's outputs, as Predictor::finish_outputs().
  std::vector<Tensor> finish() {
    --count_;
    return predictor_.finish_outputs();
  }
  bool empty() const { return count_ == 0; }
  bool full() const { return count_ >= predictor_.depth(); }

 private:
  Predictor& predictor_;
  int count_ = 0;
};

}  // namespace ssd
