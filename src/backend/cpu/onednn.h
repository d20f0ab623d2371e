// Convolutions by oneDNN.
#pragma once

#include <memory>

#include "backend/cpu/executor.h"

namespace ssd::cpu {

// For tasks of the kinds convolution, fused_convolution, convolution_grad_input and convolution_grad_weight.
// Throws Error when oneDNN refuses.
std::unique_ptr<Executor> make_onednn_convolution(const Task& task);

}  // namespace ssd::cpu
