// Convolutions by oneDNN: the executors, and what its code for this processor asks of the layouts.
#pragma once

#include <memory>
#include <string>

#include "backend/cpu/executor.h"

namespace ssd::cpu {

// B of the blocked layout: the channels of one vector of the widest instructions that oneDNN will use.
std::int64_t preferred_block();
// "3.2.1", of the library that is loaded.
std::string onednn_version();
// "oneDNN 3.2.1, AVX2".
std::string onednn_description();

// Whether products of bytes are summed in 32 bits by one instruction (VNNI). Without it they would saturate,
// or take longer than f32.
bool has_byte_products();

// For tasks of the kinds convolution, fused_convolution, convolution_grad_input and convolution_grad_weight.
// Throws Error when oneDNN refuses.
std::unique_ptr<Executor> make_onednn_convolution(const Task& task);

}  // namespace ssd::cpu
