#include "files/one_line.h"

#include <fmt/format.h>

namespace ssd {

std::string one_line(std::string_view text) {
  constexpr std::size_t kMost = 400;
  std::string line;
  for (const char c : text.substr(0, kMost)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      line += fmt::format("\\x{:02x}", byte);
    } else {
      line.push_back(c);
    }
  }
  if (text.size() > kMost) line += "...";
  return line;
}

}  // namespace ssd
