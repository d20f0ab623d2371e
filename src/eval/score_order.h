// Stable order by falling score.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace ssd {

// A key that rises where the score falls: equal for 0.0 and -0.0, total for all doubles. What is no number
// comes last, as with NumPy.
inline std::uint64_t falling_key(double score) {
  if (std::isnan(score)) return ~std::uint64_t{0};
  const auto bits = std::bit_cast<std::uint64_t>(score + 0.0);
  return (bits >> 63) != 0 ? bits : ~bits & 0x7fffffffffffffffu;
}

// Positions by falling score; equal scores keep their order.
inline std::vector<std::uint32_t> by_falling_score(std::span<const double> scores) {
  std::vector<std::pair<std::uint64_t, std::uint32_t>> keys;
  keys.reserve(scores.size());
  for (std::size_t i = 0; i < scores.size(); ++i) {
    keys.emplace_back(falling_key(scores[i]), static_cast<std::uint32_t>(i));
  }
  if (!std::is_sorted(keys.begin(), keys.end())) std::sort(keys.begin(), keys.end());
  std::vector<std::uint32_t> order;
  order.reserve(keys.size());
  for (const auto& [key, index] : keys) order.push_back(index);
  return order;
}

}  // namespace ssd
