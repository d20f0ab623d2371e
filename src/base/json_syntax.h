// What is wrong with a text that is no JSON, in words for whoever wrote it by hand.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace ssd {

struct JsonSyntaxFault {
  std::size_t byte = 0;
  std::string problem;  // "got a comma before ]; remove it"
};

// The first fault; nothing where brackets, commas, quotes and words are as JSON has them. Python's NaN and
// Infinity pass; bytes within strings are not looked at, but for line ends.
std::optional<JsonSyntaxFault> find_json_syntax_fault(std::string_view text);

}  // namespace ssd
