// The inner loops of resize.h, in the widest vectors of this processor.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ssd::resize_kernels {

inline constexpr int max_rows = 4;  // rows that filter_columns takes at once, at most
// A window of n * 4 (or 6) taps is read as n * 4 + 2 pixels, but as no fewer than these.
inline constexpr int least_reach = 6;
inline constexpr int row_binary_places = 7;  // of the 16-bit rows
inline constexpr int row_slack = 64;         // elements behind a 16-bit row that the loops may write or read

// Taps along x are 4, 6 (of which the last is 0) or a multiple of 4.
int padded_column_taps(int taps);
// Taps along y come in pairs.
int padded_row_taps(int taps);

// How many rows filter_columns takes at once: 1, 2 or 4.
int rows_at_once();

struct Columns {
  const std::uint8_t* const* rows = nullptr;  // rows_at_once() rows, RGB
  std::int16_t* const* out = nullptr;         // as many
  const std::int32_t* offsets = nullptr;      // (count + 1) byte of a row where the window begins
  const std::int16_t* weights = nullptr;      // (count + 1, taps)
  int taps = 0;
  int count = 0;  // destination columns; where it is odd, one more is written
};
void filter_columns(const Columns& job);

struct Row {
  const std::int16_t* const* rows = nullptr;  // (taps)
  const std::int16_t* weights = nullptr;      // (taps)
  std::uint8_t* out = nullptr;                // (elements)
  int taps = 0;
  int elements = 0;
};
void filter_row(const Row& job);

}  // namespace ssd::resize_kernels
