// Whole text files into memory.
#pragma once

#include <filesystem>
#include <string>

#include "base/budgets.h"

namespace ssd {

// All bytes of a file, or of a pipe until its writer closes it. The string's capacity leaves room for a
// parser's padding. Throws Error, with the file's name, for a folder, a device, a pipe that nobody opens to
// write to, for what cannot be read and for what is larger than the budget.
std::string read_text_file(const std::filesystem::path& file, const ByteBudget& most = budget::json);

}  // namespace ssd
