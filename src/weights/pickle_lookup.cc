#include "weights/pickle_lookup.h"

namespace ssd::pickle {

std::string key_text(const Value& key) {
  if (const std::string* const text = std::get_if<std::string>(&key.data)) return *text;
  if (const std::int64_t* const number = std::get_if<std::int64_t>(&key.data)) return std::to_string(*number);
  return "";
}

const Value* entry_of(const Value& value, std::string_view name) {
  const Dict* const dict = std::get_if<Dict>(&value.data);
  const Value* entry = nullptr;
  if (dict == nullptr) return entry;
  for (const auto& [key, item] : dict->items) {
    const std::string* const text = std::get_if<std::string>(&key->data);
    if (text != nullptr ? *text == name : key_text(*key) == name) entry = item;
  }
  return entry;
}

}  // namespace ssd::pickle
