// Foreign text made fit for a terminal.
#pragma once

#include <string>
#include <string_view>

namespace ssd {

// Control characters (line ends among them, and those of Latin-1 in UTF-8) become "\x0a": a file's name may
// hold any and must neither break a line nor steer a terminal.
std::string printable(std::string_view text);

// The same for an error message: text past 400 bytes is cut and ends in "...".
std::string one_line(std::string_view text);

}  // namespace ssd
