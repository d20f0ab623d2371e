#include "base/one_line.h"

#include <fmt/format.h>

namespace ssd {

std::string printable(std::string_view text) {
  std::string line;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const auto next = static_cast<unsigned char>(i + 1 < text.size() ? text[i + 1] : 0);
    if (byte < 0x20 || byte == 0x7f) {
      line += fmt::format("\\x{:02x}", byte);
    } else if (byte == 0xc2 && next >= 0x80 && next < 0xa0) {  // U+0080 to U+009F
      line += fmt::format("\\x{:02x}", next);
      ++i;
    } else {
      line.push_back(text[i]);
    }
  }
  return line;
}

std::string one_line(std::string_view text) {
  constexpr std::size_t most = 400;
  return printable(text.substr(0, most)) + (text.size() > most ? "..." : "");
}

}  // namespace ssd
