// Finding one's way in a pickle's values.
#pragma once

#include <string>
#include <string_view>

#include "weights/pickle.h"

namespace ssd::pickle {

// The entry of a dict, the last of that name as in Python; numbers are names in decimal. Null: there is none,
// or the value is no dict.
const Value* entry_of(const Value& value, std::string_view name);
// A dict's key as a name; empty for what is neither text nor an integer.
std::string key_text(const Value& key);

}  // namespace ssd::pickle
