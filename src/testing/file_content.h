// Files that tests look into.
#pragma once

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace ssd {

// All bytes of a file; none of one that is not there.
inline std::string content_of(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

}  // namespace ssd
