// Whole text files into memory.
#pragma once

#include <filesystem>
#include <string>

namespace ssd {

// All bytes of a file, or of a pipe until its writer closes it. The string's capacity leaves room for a
// parser's padding. Throws Error, with the file's name, for a folder and for what cannot be read.
std::string read_text_file(const std::filesystem::path& file);

}  // namespace ssd
