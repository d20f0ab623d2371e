#include "storage/name_in_url.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstddef>

namespace ssd {
namespace {

bool is_hexadecimal(char c) { return std::isxdigit(static_cast<unsigned char>(c)) != 0; }

// "a%20b" as "a b".
std::string unescaped(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && is_hexadecimal(text[i + 1]) && is_hexadecimal(text[i + 2])) {
      unsigned code = 0;
      std::from_chars(text.data() + i + 1, text.data() + i + 3, code, 16);
      plain += static_cast<char>(code);
      i += 2;
    } else {
      plain += text[i];
    }
  }
  return plain;
}

// "images/0a1b2c3d-a.jpg" as "images/a.jpg"; empty where there is nothing to take off.
std::string without_upload(std::string_view name) {
  constexpr std::size_t digits = 8;
  const std::size_t slash = name.find_last_of("/\\");
  const std::size_t begin = slash == std::string_view::npos ? 0 : slash + 1;
  const std::string_view last = name.substr(begin);
  if (last.size() <= digits + 1 || last[digits] != '-' ||
      !std::ranges::all_of(last.substr(0, digits), is_hexadecimal))
    return {};
  return std::string(name.substr(0, begin)) + std::string(last.substr(digits + 1));
}

}  // namespace

std::vector<std::string> names_in_url(std::string_view name) {
  std::vector<std::string> names;
  const auto add = [&](std::string other) {
    if (!other.empty() && other != name && std::ranges::find(names, other) == names.end())
      names.push_back(std::move(other));
  };
  const std::size_t query = name.find('?');
  const std::string_view path = name.substr(0, query), parameters = name.substr(std::min(query, name.size()));
  if (parameters.starts_with("?d="))
    add(unescaped(parameters.substr(3, parameters.find('&') - 3)));
  else
    add(std::string(path));
  add(unescaped(path));
  add(without_upload(path));
  for (std::size_t i = 0, count = names.size(); i < count; ++i) add(without_upload(std::string(names[i])));
  return names;
}

}  // namespace ssd
