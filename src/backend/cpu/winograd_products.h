// What is multiplied and summed at each of Winograd's 36 points (winograd_transforms.h), for blocks of B
// channels.
#pragma once

#include <cstdint>

namespace ssd::cpu::winograd {

constexpr std::int64_t group = 6;    // tiles that are multiplied together
constexpr std::int64_t depth = 256;  // channels summed before partial sums go to memory

// At one point: m[tile][o] = sum over channels c of v[tile][c] * u[c][o], for `groups` groups of 6 tiles.
// v: group g at g * v_stride, as [channels / depth][6][depth] (the last part narrower).
// u: [panels][channels][2 B]. m: group g at g * m_stride, as [6][m_width].
struct PointProduct {
  const float* v = nullptr;
  const float* u = nullptr;
  float* m = nullptr;
  std::int64_t v_stride = 0, m_stride = 0, m_width = 0;
  std::int64_t groups = 0, channels = 0, first_panel = 0, last_panel = 0;  // panels first .. last - 1
  std::int64_t block = 8;
};
void multiply(const PointProduct& product);

// At one point: s[o block][c][o of block] (+)= sum over tiles of v[c block][tile][c of block] *
// w[o block][tile][o of block], for o blocks first .. last - 1.
struct PointSum {
  const float* v = nullptr;
  const float* w = nullptr;
  float* s = nullptr;
  std::int64_t tiles = 0, stride = 0;  // stride: tiles between blocks of v and of w
  std::int64_t channel_blocks = 0, first_block = 0, last_block = 0;
  std::int64_t block = 8;
  bool accumulate = false;  // add to what s holds
};
void sum_products(const PointSum& sum);

}  // namespace ssd::cpu::winograd
