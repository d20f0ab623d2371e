// What is said where there is not enough memory.
#pragma once

#include <cstddef>
#include <new>
#include <string_view>
#include <utility>

#include "base/error.h"

namespace ssd {

// Says how much was asked for and what for.
[[noreturn]] inline void fail_for_memory(std::size_t bytes, std::string_view what) {
  throw Error(
      "memory: there are no {:.1f} MiB for {}; free some, or need less: a smaller --batch-size, fewer "
      "--threads",
      static_cast<double>(bytes) / (1 << 20), what);
}

// Gives what `allocate` gives, which asks for about so many bytes.
template <typename Allocate>
decltype(auto) with_memory(std::size_t bytes, std::string_view what, Allocate&& allocate) {
  try {
    return std::forward<Allocate>(allocate)();
  } catch (const std::bad_alloc&) {
    fail_for_memory(bytes, what);
  }
}

}  // namespace ssd
