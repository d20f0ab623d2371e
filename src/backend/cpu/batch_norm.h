// Batch norm in training mode and its gradient (Ioffe and Szegedy 2015), with the sum and the ReLU around it.
// Those of a group share what they measure with as many processes of the communicator, which outlives them.
#pragma once

#include <memory>

#include "backend/cpu/executor.h"

namespace ssd::cpu {

std::unique_ptr<Executor> make_batch_norm(const Task& task, Communicator& communicator);
std::unique_ptr<Executor> make_batch_norm_grad(const Task& task, Communicator& communicator);

}  // namespace ssd::cpu
