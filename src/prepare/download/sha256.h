// The SHA-256 of a file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

namespace ssd {

// 64 hexadecimal digits. `going` is told now and then how many bytes were read; where it returns false, the
// result is empty. Throws Error when the file cannot be read.
std::string sha256_of(const std::filesystem::path& file,
                      const std::function<bool(std::uint64_t done)>& going = {});

}  // namespace ssd
