// What the readers of foreign JSON have in common: recognising what is none, and words for messages.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace ssd {

// What the text is instead of JSON and what to do, where its first bytes tell: "this is gzip data; unpack
// it". Empty where they do not.
std::string_view other_than_json(std::string_view text);

// Where a JSON text cannot be right, for a parser that does not say: the first byte that is no UTF-8, else
// the first control character within a string, else the text's end.
std::size_t json_fault(std::string_view text);

// A JSON value as a message shows it, by the text from its first byte on: "a list", "an object", or the value
// itself, at most 40 bytes of it.
std::string json_value_text(std::string_view token);

}  // namespace ssd
