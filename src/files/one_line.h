// Foreign text made fit for an error message.
#pragma once

#include <string>
#include <string_view>

namespace ssd {

// Control characters (line ends among them) become "\x0a", and text past 400 bytes is cut and ends in "...":
// names in a damaged or hostile file must neither break the one line of a message nor steer a terminal.
std::string one_line(std::string_view text);

}  // namespace ssd
