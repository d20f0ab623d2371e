#include "data/dataset/coco_values.h"

#include <charconv>
#include <cmath>
#include <limits>
#include <system_error>

#include "base/error.h"
#include "base/json_number.h"
#include "base/json_text.h"
#include "base/text_id.h"
#include "base/utf8.h"

namespace ssd {
namespace {

namespace ondemand = simdjson::ondemand;

// "2.5", as some writers have it.
bool number_of_text(ondemand::value value, double& number) {
  std::string_view text;
  if (value.get_string().get(text)) return false;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

// The digits of a whole number that 64 bits do not hold, as the token begins with it; else nothing.
std::string_view long_whole_number(std::string_view token) {
  const std::string_view number = token.substr(0, token.find_first_not_of("-0123456789"));
  const bool whole = number.size() == token.size() ||
                     std::string_view(".eE").find(token[number.size()]) == std::string_view::npos;
  std::int64_t fits = 0;
  const auto error = std::from_chars(number.data(), number.data() + number.size(), fits).ec;
  return whole && error == std::errc::result_out_of_range ? number : std::string_view();
}

}  // namespace

void CocoValues::mistyped(std::string_view token, std::string_view expected) const {
  fail_at(token.data(), fmt::format("got {}, expected {}", json_value_text(token), expected));
}

ondemand::array CocoValues::array(ondemand::value value) const {
  const std::string_view token = value.raw_json_token();
  ondemand::array list;
  if (value.get_array().get(list)) mistyped(token, "a list");
  return list;
}

std::string CocoValues::string(ondemand::value value) const {
  const std::string_view token = value.raw_json_token();
  std::string_view text;
  if (value.get_string().get(text)) mistyped(token, "a text");
  return std::string(text);
}

double CocoValues::real(ondemand::value value, std::string_view expected) const {
  const std::string_view token = value.raw_json_token();
  double number = 0;
  if (value.get_double().get(number) == simdjson::SUCCESS)
    number = exact_double(token, number);
  else if (!number_of_text(value, number))
    mistyped(token, expected);
  if (!std::isfinite(number)) fail_at(token.data(), "the number is too large");
  return number;
}

std::int64_t CocoValues::identifier(ondemand::value value, std::string* text) const {
  const std::string_view token = value.raw_json_token();
  if (!token.starts_with('"')) {
    const std::string_view digits = long_whole_number(token);
    if (text) *text = digits;
    return digits.empty() ? integer(value) : id_of_text(digits);
  }
  const std::string id = string(value);
  if (text) *text = id;
  return id_of_text(id);
}

std::int64_t CocoValues::identifier_or_null(ondemand::value value, bool& present) const {
  present = !value.is_null();
  return present ? identifier(value) : 0;
}

std::int64_t CocoValues::integer(ondemand::value value) const {
  std::int64_t whole = 0;
  if (value.get_int64().get(whole) == simdjson::SUCCESS) return whole;
  // simdjson 3.0's get_number() reads 0 of more than 19 digits.
  const double real = this->real(value, "a whole number");
  constexpr double limit = 9007199254740992.0;  // 2^53: beyond it a double is no longer exact
  if (real != std::trunc(real) || std::abs(real) > limit)
    fail_at(item_, fmt::format("got {}, expected a whole number", real));
  return static_cast<std::int64_t>(real);
}

int CocoValues::extent(ondemand::value value) const {
  if (value.is_null()) return 0;
  const std::int64_t pixels = integer(value);
  if (pixels < 0 || pixels > std::numeric_limits<int>::max())
    fail_at(item_, fmt::format("got {} pixels, expected 1 or more", pixels));
  return static_cast<int>(pixels);
}

std::optional<double> CocoValues::area(ondemand::value value) const {
  const std::string_view token = value.raw_json_token();
  if (token.starts_with("null")) return std::nullopt;
  // Python writes what JSON has no words for.
  if (token.starts_with("NaN")) return std::numeric_limits<double>::quiet_NaN();
  if (token.starts_with("Infinity")) return std::numeric_limits<double>::infinity();
  if (token.starts_with("-Infinity")) return -std::numeric_limits<double>::infinity();
  return real(value);
}

bool CocoValues::flag(ondemand::value value) const {
  const std::string_view token = value.raw_json_token();
  if (token.starts_with("null") || token.starts_with("\"false\"")) return false;
  if (token.starts_with("\"true\"")) return true;
  if (bool yes = false; value.get_bool().get(yes) == simdjson::SUCCESS) return yes;
  const double number = real(value);
  // pycocotools takes 0.5 half as a crowd: passed over, but not for the overlap.
  if (number != std::trunc(number)) fail_at(item_, fmt::format("got {}, expected 0 or 1", number));
  return number != 0.0;
}

void CocoValues::fail_at(const char* location, std::string_view problem) const {
  std::string where(name_);
  const char* begin = text_.data();
  if (location >= begin && location <= begin + text_.size())
    where += ": " + position_text(text_, static_cast<std::size_t>(location - begin));
  if (what_) where += fmt::format(": {} {}", what_, index_);
  if (!field_.empty()) where += fmt::format(": {}", field_);
  throw Error("{}{} {}", where, what_ && field_.empty() ? "" : ":", problem);
}

}  // namespace ssd
