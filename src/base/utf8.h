// UTF-8 in foreign text: where it breaks, and making it whole.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace ssd {

// Bytes of the UTF-8 byte order mark that the text begins with: 3 or 0.
std::size_t byte_order_mark(std::string_view text);

// The position of the first byte that is no valid UTF-8 (RFC 3629); the text's size where all are.
std::size_t first_invalid_utf8(std::string_view text);

// The character that a text of at least one byte begins with; where that is no UTF-8, its first byte.
struct Utf8Character {
  bool valid = false;
  std::size_t bytes = 1;
  char32_t number = 0;  // Unicode's
};
Utf8Character first_character(std::string_view text);

// The text itself if it is UTF-8, else its bytes taken as Latin-1.
std::string to_utf8(std::string_view text);

// A place in a text for messages: "byte 32 (line 2)", with ", the end" where nothing follows.
std::string position_text(std::string_view text, std::size_t byte);

}  // namespace ssd
