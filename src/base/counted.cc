#include "base/counted.h"

#include <fmt/format.h>

namespace ssd {

std::string in_number(std::size_t count, std::string_view text) {
  std::string result;
  while (!text.empty()) {
    const std::size_t open = text.find('['), close = text.find(']', open);
    if (open == text.npos || close == text.npos) return result.append(text);
    const std::string_view forms = text.substr(open + 1, close - open - 1);
    const std::size_t bar = forms.find('|');
    const std::string_view one = bar == forms.npos ? "" : forms.substr(0, bar);
    const std::string_view many = bar == forms.npos ? forms : forms.substr(bar + 1);
    result.append(text.substr(0, open)).append(count == 1 ? one : many);
    text.remove_prefix(close + 1);
  }
  return result;
}

std::string counted(std::size_t count, std::string_view text) {
  return fmt::format("{} {}", count, in_number(count, text));
}

}  // namespace ssd
