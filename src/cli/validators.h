// Checks of options' values; CLI11 puts the option's name before what they say.
#pragma once

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "model/optimizers.h"

namespace ssd::cli {

// A finite number for which `accept` holds.
template <typename Accept>
CLI::Validator number_check(const std::string& expected, Accept accept) {
  return CLI::Validator(
      [expected, accept](std::string& text) {
        double value = 0;
        const bool good = CLI::detail::lexical_cast(text, value) && std::isfinite(value) && accept(value);
        return good ? std::string() : fmt::format("got {}, expected {}", text, expected);
      },
      "");
}

inline CLI::Validator positive_number() {
  return number_check("a number above 0", [](double value) { return value > 0; });
}

inline CLI::Validator number_from_zero() {
  return number_check("0 or more", [](double value) { return value >= 0; });
}

// A whole number of things, few enough that products of them stay numbers.
inline CLI::Validator count_up_to(std::int64_t most) {
  return number_check(fmt::format("a whole number from 1 to {}", most), [most](double value) {
    return value >= 1 && value <= static_cast<double>(most) && value == std::floor(value);
  });
}
inline CLI::Validator batch_size() { return count_up_to(65536); }

// 0: as many as suit.
inline CLI::Validator thread_count() {
  return number_check("0 to 1024", [](double value) { return value >= 0 && value <= 1024; });
}

inline CLI::Validator optimizer_name() {
  std::vector<std::string> names;
  for (const model::Optimizer& optimizer : model::optimizers()) names.emplace_back(optimizer.name);
  return CLI::IsMember(names);
}

inline CLI::Validator backbone_name() {
  return CLI::IsMember({"resnet18", "resnet34", "resnet50", "resnet101", "resnet152"});
}

}  // namespace ssd::cli
