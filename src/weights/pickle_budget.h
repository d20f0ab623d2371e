// What a pickle may cost to read. A detector's checkpoint with its optimizer takes less than a tenth of each;
// a small file that asks for more was made to exhaust the reader.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ssd::pickle {

struct Budget {
  std::uint64_t bytes = 16u << 20;  // of the stream
  std::uint64_t steps = 2'000'000;  // opcodes
  std::uint64_t items = 8'000'000;  // of all tuples, lists and dicts, with the copies that calls make of them
  std::uint64_t visits = 1'000'000;      // values looked at in search of tensors, shared ones each time
  std::uint64_t name_bytes = 64u << 20;  // of the dotted names made in that search
  std::size_t depth = 32;                // of dicts and lists within each other
  std::size_t axes = 16;                 // of a tensor
  std::size_t key_bytes = 64;            // of a storage's name
};

inline constexpr Budget budget;

}  // namespace ssd::pickle
