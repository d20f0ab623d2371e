// Counts in sentences.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace ssd {

// The count and the text in its number: "1 box was left out" and "2 boxes were left out" of
// "box[es] [was|were] left out". In brackets stands what only many have, or what one has and what many have.
std::string counted(std::size_t count, std::string_view text);

// The text alone.
std::string in_number(std::size_t count, std::string_view text);

}  // namespace ssd
