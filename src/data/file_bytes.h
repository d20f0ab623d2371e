// Whole files into memory.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace ssd {

// Reads a file into `buffer`, which grows where it must and never shrinks, and gives the bytes read. Throws
// Error, with the file's name, for one that is missing, unreadable, no regular file or empty.
std::span<const std::byte> read_file(const std::string& file, std::vector<std::byte>& buffer);

}  // namespace ssd
