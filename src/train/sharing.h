// What the processes of a run have in common.
#pragma once

#include <map>
#include <string>

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

// What every process must have been told alike: values by name. Throws Error, in every process, where one has
// another value than rank 0, and names both.
using Facts = std::map<std::string, std::string>;
void expect_same_facts(Communicator& communicator, const Facts& facts);

}  // namespace ssd
