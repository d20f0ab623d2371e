#include "base/json_number.h"

#include <charconv>
#include <cstdlib>
#include <string>
#include <system_error>

namespace ssd {

double exact_double(std::string_view token, double parsed) {
  // "0." and the 19 digits that fit 64 bits. A token may end in blanks, which from_chars() leaves alone.
  constexpr std::size_t always_right = 21;
  if (token.size() <= always_right) return parsed;
  double value = parsed;
  const auto end = std::from_chars(token.data(), token.data() + token.size(), value);
  // from_chars() does not say on which side the number is out of range.
  if (end.ec == std::errc::result_out_of_range) return std::strtod(std::string(token).c_str(), nullptr);
  return value;
}

}  // namespace ssd
