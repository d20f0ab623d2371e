// What the processes of a run have in common.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/communicator.h"
#include "base/tensor.h"
#include "train/trainer.h"

namespace ssd {

// Rank 0's answer.
bool first_says(Communicator& communicator, bool answer);

// Rank 0's tensors; the others' arguments are not looked at.
TensorMap broadcast(Communicator& communicator, const TensorMap& tensors);
TrainingStart broadcast(Communicator& communicator, TrainingStart start);

// Throws Error, in every process, where weights are not the same bits in all of them.
void expect_same_weights(Communicator& communicator, const TensorMap& weights);

// The bad images that any process finds, all told in rank 0.
class BadImageReports {
 public:
  using Tell = std::function<void(const BadImage&)>;
  BadImageReports(Communicator& communicator, Tell tell)
      : communicator_(communicator), tell_(std::move(tell)) {}

  // One that this process found: told at once where it is alone, else by the next exchange().
  void add(const BadImage& image);
  // Called by all processes at the same time.
  void exchange();

 private:
  Communicator& communicator_;
  Tell tell_;
  std::vector<BadImage> found_;
};

// What every process must have been told alike: values by name. Throws Error, in every process, where one has
// another value than rank 0, and names both.
using Facts = std::map<std::string, std::string>;
void expect_same_facts(Communicator& communicator, const Facts& facts);

}  // namespace ssd
