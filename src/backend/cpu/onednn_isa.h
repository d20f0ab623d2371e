// What oneDNN's code can do on this processor.
#pragma once

#include <cstdint>
#include <string>

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
// Whether products of bf16 are summed in f32 by one instruction (AVX512_BF16 or AMX). Without it they would
// take longer than f32.
bool has_bf16_products();

}  // namespace ssd::cpu
