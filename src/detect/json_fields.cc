#include "detect/json_fields.h"

#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>

#include "base/error.h"
#include "base/json_text.h"
#include "base/one_line.h"
#include "base/text_id.h"
#include "base/utf8.h"

namespace ssd {
namespace {

[[noreturn]] void refuse(const char* key, const nlohmann::json& got, std::string_view expected) {
  const bool shown = !got.is_structured();
  const std::string text = got.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  throw Error("\"{}\": got {}, expected {}", key,
              shown ? one_line(text, 60) : std::string(got.is_array() ? "a list" : "an object"), expected);
}

const nlohmann::json& field(const nlohmann::json& object, const char* key, std::string_view expected) {
  const auto found = object.find(key);
  if (found == object.end()) throw Error("\"{}\": is missing, expected {}", key, expected);
  return *found;
}

}  // namespace

nlohmann::json parse_json(const std::string& text) {
  // The parser's own messages echo what they find, and name its types.
  nlohmann::json json = nlohmann::json::parse(text, nullptr, false);
  if (json.is_discarded())
    throw Error("got no JSON, or a file that was cut, at {}", position_text(text, json_fault(text)));
  if (!json.is_object()) throw Error("got {}, expected an object", json_value_text(text));
  return json;
}

const nlohmann::json& object_field(const nlohmann::json& object, const char* key) {
  const nlohmann::json& found = field(object, key, "an object");
  if (!found.is_object()) refuse(key, found, "an object");
  return found;
}

const nlohmann::json& list_field(const nlohmann::json& object, const char* key) {
  const nlohmann::json& found = field(object, key, "a list");
  if (!found.is_array()) refuse(key, found, "a list");
  return found;
}

std::int64_t whole_field(const nlohmann::json& object, const char* key, WholeRange range) {
  const std::string expected = fmt::format("a whole number from {} to {}", range.least, range.most);
  const nlohmann::json& found = field(object, key, expected);
  // Numbers beyond 64 bits are no integers to the parser.
  if (!found.is_number_integer()) refuse(key, found, expected);
  if (found.is_number_unsigned() && found.get<std::uint64_t>() > std::uint64_t{INT64_MAX})
    refuse(key, found, expected);
  const auto value = found.get<std::int64_t>();
  if (value < range.least || value > range.most) refuse(key, found, expected);
  return value;
}

std::uint64_t unsigned_field(const nlohmann::json& object, const char* key) {
  constexpr std::string_view expected = "a whole number from 0 to 18446744073709551615";
  const nlohmann::json& found = field(object, key, expected);
  if (!found.is_number_unsigned()) refuse(key, found, expected);
  return found.get<std::uint64_t>();
}

double number_field(const nlohmann::json& object, const char* key, NumberRange range) {
  const std::string expected = fmt::format("a number from {} to {}", range.least, range.most);
  const nlohmann::json& found = field(object, key, expected);
  if (!found.is_number()) refuse(key, found, expected);
  const auto value = found.get<double>();
  if (!(value >= range.least && value <= range.most)) refuse(key, found, expected);
  return value;
}

std::string text_field(const nlohmann::json& object, const char* key) {
  const nlohmann::json& found = field(object, key, "text");
  if (!found.is_string()) refuse(key, found, "text");
  return found.get<std::string>();
}

std::vector<CocoCategory> categories_field(const nlohmann::json& object, const char* key) {
  constexpr WholeRange any{std::numeric_limits<std::int64_t>::min(),
                           std::numeric_limits<std::int64_t>::max()};
  std::vector<CocoCategory> categories;
  std::set<std::int64_t> ids;
  for (const nlohmann::json& one : list_field(object, key)) {
    if (!one.is_object()) throw Error("\"{}\": got one that is no object", key);
    CocoCategory& category = categories.emplace_back();
    category.name = text_field(one, "name");
    if (const auto id = one.find("id"); id != one.end() && id->is_string())
      category.id_text = id->get<std::string>(), category.id = id_of_text(category.id_text);
    else
      category.id = whole_field(one, "id", any);
    if (!ids.insert(category.id).second)
      throw Error("\"{}\": got the id {} twice", key, written_id(category));
  }
  return categories;
}

nlohmann::ordered_json id_json(const CocoCategory& category) {
  return category.id_text.empty() ? nlohmann::ordered_json(category.id)
                                  : nlohmann::ordered_json(category.id_text);
}

nlohmann::ordered_json categories_json(std::span<const CocoCategory> categories) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const CocoCategory& one : categories) list.push_back({{"id", id_json(one)}, {"name", one.name}});
  return list;
}

}  // namespace ssd
