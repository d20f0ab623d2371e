#include "base/utf8.h"

#include <fmt/format.h>

#include <algorithm>

namespace ssd {
namespace {

// Bytes of the sequence that begins with `first`; 0: none does.
std::size_t sequence_length(unsigned char first) {
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first < 0xe0) return 2;
  if (first >= 0xe0 && first < 0xf0) return 3;
  return first >= 0xf0 && first < 0xf5 ? 4 : 0;
}

// The second byte tells overlong forms, surrogates and what is above U+10FFFF from the others.
bool second_fits(unsigned char first, unsigned char second) {
  const unsigned least = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
  const unsigned most = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
  return second >= least && second <= most;
}

bool is_sequence(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  if (text.size() > 1 && !second_fits(byte(0), byte(1))) return false;
  for (std::size_t i = 2; i < text.size(); ++i)
    if ((byte(i) & 0xc0u) != 0x80u) return false;
  return true;
}

}  // namespace

std::size_t byte_order_mark(std::string_view text) { return text.starts_with("\xef\xbb\xbf") ? 3 : 0; }

std::size_t first_invalid_utf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = sequence_length(static_cast<unsigned char>(text[at]));
    if (length == 0 || length > text.size() - at || !is_sequence(text.substr(at, length))) return at;
    at += length;
  }
  return text.size();
}

Utf8Character first_character(std::string_view text) {
  const auto first = static_cast<unsigned char>(text[0]);
  const std::size_t length = sequence_length(first);
  if (length == 0 || length > text.size() || !is_sequence(text.substr(0, length))) return {};
  char32_t number = length == 1 ? first : first & (0x7fu >> length);
  for (std::size_t i = 1; i < length; ++i)
    number = number << 6u | (static_cast<unsigned char>(text[i]) & 0x3fu);
  return {true, length, number};
}

std::string to_utf8(std::string_view text) {
  if (first_invalid_utf8(text) == text.size()) return std::string(text);
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80) {
      out += c;
    } else {
      out += static_cast<char>(0xc0u | byte >> 6u);
      out += static_cast<char>(0x80u | (byte & 0x3fu));
    }
  }
  return out;
}

std::string position_text(std::string_view text, std::size_t byte) {
  const std::string_view before = text.substr(0, byte);
  return fmt::format("byte {} (line {}{})", byte, 1 + std::count(before.begin(), before.end(), '\n'),
                     byte == text.size() ? ", the end" : "");
}

}  // namespace ssd
