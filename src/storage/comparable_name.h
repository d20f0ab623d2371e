// Names of files that people take for the same.
#pragma once

#include <string>
#include <string_view>

namespace ssd {

// Names that differ in capitals or in Unicode's normal form alone (as between macOS and the others) have one
// comparable name. Bytes that are no UTF-8 stay as they are, but for ASCII's capitals.
std::string comparable_name(std::string_view name);

}  // namespace ssd
