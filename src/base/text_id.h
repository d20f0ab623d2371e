// Ids that are texts (UUIDs, file names), as numbers.
#pragma once

#include <cstdint>
#include <string_view>

namespace ssd {

// The whole number that the text is ("12", "12.0"), else one below zero that every reading of the same text
// gives: a hash of 63 bits, so that two texts of a data set hardly ever share one.
std::int64_t id_of_text(std::string_view text);

// Whether the id stands for such a text: as numbers ids are hardly ever that low.
constexpr bool is_id_of_text(std::int64_t id) { return id < -(std::int64_t{1} << 53); }

}  // namespace ssd
