// Names of files that went through a web server.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace ssd {

// What else `name` may stand for, the likeliest first: the path that its query gives ("?d=images/a.jpg", as
// Label Studio writes files of its own machine), itself without a query, with "%20" undone, and all of
// these without the eight hexadecimal digits and the dash that an upload got in front. Never itself.
std::vector<std::string> names_in_url(std::string_view name);

}  // namespace ssd
