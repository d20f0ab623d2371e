#include "base/text_id.h"

#include <charconv>
#include <cmath>
#include <limits>
#include <optional>
#include <system_error>

namespace ssd {
namespace {

template <typename Number>
std::optional<Number> all_of(std::string_view text) {
  Number number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// FNV-1a, with SplitMix64's last steps for the bits that it leaves alike.
std::uint64_t hash_of(std::string_view text) {
  std::uint64_t hash = 14695981039346656037u;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9u;
  hash = (hash ^ (hash >> 27)) * 0x94d049bb133111ebu;
  return hash ^ (hash >> 31);
}

}  // namespace

std::int64_t id_of_text(std::string_view text) {
  if (const auto whole = all_of<std::int64_t>(text)) return *whole;
  constexpr double limit = 9007199254740992.0;  // 2^53: beyond it a double is no longer exact
  // "12e4" may be the beginning of a hash as well.
  if (text.find_first_not_of("-.0123456789") == std::string_view::npos)
    if (const auto real = all_of<double>(text);
        real && *real == std::trunc(*real) && std::abs(*real) <= limit)
      return static_cast<std::int64_t>(*real);
  return static_cast<std::int64_t>(hash_of(text) >> 1) + std::numeric_limits<std::int64_t>::min();
}

}  // namespace ssd
