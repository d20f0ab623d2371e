// What --version prints.
#pragma once

#include <string>

namespace ssd::cli {

// "singleshot 0.1.0", then a line for each library whose version may matter: name and version.
std::string version_text();
// "0.1.0".
std::string version_number();

}  // namespace ssd::cli
