#include "base/json_text.h"

#include "base/one_line.h"
#include "base/utf8.h"

namespace ssd {

std::string_view other_than_json(std::string_view text) {
  if (text.starts_with("\x1f\x8b")) return "this is gzip data, expected JSON; unpack it (gunzip)";
  if (text.starts_with("PK\x03\x04")) return "this is a zip archive, expected JSON; unpack it (unzip)";
  if (text.starts_with("\xff\xfe") || text.starts_with("\xfe\xff"))
    return "this is UTF-16, expected UTF-8; save it as UTF-8 (iconv -f UTF-16 -t UTF-8)";
  return {};
}

std::size_t json_fault(std::string_view text) {
  const std::size_t invalid = first_invalid_utf8(text);
  if (invalid < text.size()) return invalid;
  bool inside = false;  // a string
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '"')
      inside = !inside;
    else if (inside && text[i] == '\\')
      ++i;
    else if (inside && static_cast<unsigned char>(text[i]) < 0x20)
      return i;
  }
  return text.size();
}

std::string json_value_text(std::string_view token) {
  constexpr std::size_t most = 40;
  if (token.starts_with('[')) return "a list";
  if (token.starts_with('{')) return "an object";
  const bool quoted = token.starts_with('"');
  std::size_t end = quoted ? 1 : token.find_first_of(" \t\r\n,:]}");
  if (quoted) {
    while (end < token.size() && token[end] != '"') end += token[end] == '\\' ? 2 : 1;
    ++end;
  }
  token = token.substr(0, end);
  return token.size() > most ? printable(token.substr(0, most)) + "..." : printable(token);
}

}  // namespace ssd
