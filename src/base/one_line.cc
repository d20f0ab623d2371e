#include "base/one_line.h"

#include <fmt/format.h>

#include "base/utf8.h"

namespace ssd {
namespace {

// Those that switch the direction of writing, and those that some programs take as line ends.
bool is_misleading(char32_t c) {
  return c == 0x061c || c == 0x200e || c == 0x200f || (c >= 0x2028 && c <= 0x202e) ||
         (c >= 0x2066 && c <= 0x2069);
}

bool is_control(char32_t c) { return c < 0x20 || (c >= 0x7f && c < 0xa0); }

// A place that is not within a character, at or before `at`.
std::size_t character_at(std::string_view text, std::size_t at) {
  std::size_t place = at;
  while (place > 0 && at - place < 4 && place < text.size() &&
         (static_cast<unsigned char>(text[place]) & 0xc0u) == 0x80u)
    --place;
  return place;
}

}  // namespace

std::string printable(std::string_view text) {
  std::string line;
  line.reserve(text.size());
  while (!text.empty()) {
    const Utf8Character c = first_character(text);
    if (!c.valid || is_control(c.number))
      line += fmt::format("\\x{:02x}", c.valid ? static_cast<unsigned>(c.number)
                                               : static_cast<unsigned>(static_cast<unsigned char>(text[0])));
    else if (is_misleading(c.number))
      line += fmt::format("\\u{:04x}", static_cast<unsigned>(c.number));
    else
      line += text.substr(0, c.bytes);
    text.remove_prefix(c.bytes);
  }
  return line;
}

std::string one_line(std::string_view text, std::size_t most) {
  if (text.size() <= most) return printable(text);
  const std::size_t begin = character_at(text, most / 2), end = character_at(text, text.size() - most / 2);
  return fmt::format("{}[... {} bytes left out ...]{}", printable(text.substr(0, begin)), end - begin,
                     printable(text.substr(end)));
}

std::string visible_json(std::string_view json) {
  std::string text;
  text.reserve(json.size());
  while (!json.empty()) {
    const Utf8Character c = first_character(json);
    // Line ends between values are JSON's own; within strings there are none.
    if (c.valid && ((c.number >= 0x7f && is_control(c.number)) || is_misleading(c.number)))
      text += fmt::format("\\u{:04x}", static_cast<unsigned>(c.number));
    else
      text += json.substr(0, c.bytes);
    json.remove_prefix(c.bytes);
  }
  return text;
}

}  // namespace ssd
