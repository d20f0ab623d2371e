// What readers of foreign files take at most: far more than any file of use has, so that only a broken or a
// hostile one meets a budget. The message names it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ssd {

struct ByteBudget {
  std::size_t bytes;
  const char* of;  // "a YAML file"
};

namespace budget {

inline constexpr std::size_t kib = 1024, mib = 1024 * kib, gib = 1024 * mib;

inline constexpr ByteBudget json{4 * gib, "a JSON file"};  // simdjson's own limit; COCO's largest has 0.5 GiB
inline constexpr ByteBudget yaml{16 * mib, "a YAML file"};
inline constexpr ByteBudget xml{64 * mib, "an XML file"};
inline constexpr ByteBudget list{1 * gib, "a list of images"};     // ten million lines
inline constexpr ByteBudget labels{64 * mib, "a file of labels"};  // of one image
inline constexpr ByteBudget state{256 * mib, "a checkpoint's state"};
inline constexpr ByteBudget program{2 * gib, "a compiled program"};
inline constexpr ByteBudget pipe{1 * gib, "a pipe"};  // on top of that of what comes through it

// Bytes that an archive may grow by when it is unpacked: so many times its own, and a little for small ones.
// Text of annotations grows tenfold, images hardly.
inline constexpr std::uint64_t zip_growth = 100, zip_least = 64 * mib;

// Classes of a data set. COCO has 80, the largest sets with boxes some 20,000.
inline constexpr std::size_t classes = 100'000;

}  // namespace budget
}  // namespace ssd
