// Foreign text made fit for a terminal, a log or JSON: the one place that knows what is not fit.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace ssd {

// What could steer a terminal, break a line or show text in another order than it has becomes its number:
// control characters (C0, DEL, C1) and bytes that are no UTF-8 as "\x1b"; line and paragraph separators and
// what switches the direction of writing (U+061C, U+200E, U+200F, U+2028 to U+202E, U+2066 to U+2069) as
// "\u202e". All else stays. A file's name may hold any of these.
std::string printable(std::string_view text);

// The same for a message or a value in one. Of text longer than `most` bytes the middle is left out:
// "abc[... 1000000 bytes left out ...]xyz".
inline constexpr std::size_t longest_line = 600;
std::string one_line(std::string_view text, std::size_t most = longest_line);

// JSON text with the same meaning whose strings hold none of these: each stands as "\u001b". The text is
// UTF-8.
std::string visible_json(std::string_view json);

}  // namespace ssd
