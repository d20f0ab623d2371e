// Which options the user gave: those that would do nothing beside others are refused, in one line.
#pragma once

#include <CLI/CLI.hpp>
#include <span>
#include <string>
#include <vector>

namespace ssd::cli {

// Options that would do nothing.
struct InertOptions {
  std::string beside;  // what makes them useless: "--program", "--optimizer sgd"
  std::vector<const char*> options;
};

bool is_given(const CLI::App& command, const std::string& option);

// Throws UsageError that names the first of `options` that was given. `beside` is what makes it useless:
// "--program", "--optimizer sgd".
void refuse_beside(const CLI::App& command, const std::string& beside, std::span<const char* const> options);
// The same for every option of the command but `useful`.
void refuse_all_beside(const CLI::App& command, const std::string& beside,
                       std::span<const char* const> useful);

}  // namespace ssd::cli
