// Whole files into memory.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace ssd {

// A sparse file states any size, and hardly an image within ImageLimits needs as much.
inline constexpr std::size_t largest_file = std::size_t{1} << 30;

// Reads a file into `buffer`, which grows where it must and never shrinks, and gives the bytes read. Throws
// Error, with the file's name, for one that is missing, unreadable, no regular file, empty or larger
// than `largest_file`.
std::span<const std::byte> read_file(const std::string& file, std::vector<std::byte>& buffer);

}  // namespace ssd
