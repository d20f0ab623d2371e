// Where short-lived memory lies: one block for all, shared by what is not alive at the same time.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace ssd::cpu {

// A need for memory from step `first` to step `last`, both included.
struct Lifetime {
  std::size_t bytes = 0;
  int first = 0;
  int last = 0;
};

struct ArenaPlan {
  std::vector<std::size_t> offsets;  // one a lifetime, multiples of `arena_alignment`
  std::size_t bytes = 0;             // of the whole arena
};

constexpr std::size_t arena_alignment = 64;

// Largest first, each goes into the tightest gap left by those alive at the same time (best fit).
ArenaPlan plan_arena(std::span<const Lifetime> lifetimes);

}  // namespace ssd::cpu
