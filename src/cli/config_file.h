// Options of a command in a file: read from YAML or JSON, and written as a run resolved them.
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace ssd::cli {

// An option by its long name ("--batch-size") and what stands behind it.
struct Setting {
  std::string option;
  std::vector<std::string> values;  // of a flag: "true"
};

// Options of which one makes the others meaningless: those given on the command line put out the others of
// their row wherever they come from.
using ExclusiveOptions = std::vector<std::string>;

// A YAML or JSON map of names without dashes to a value or a list of values; nulls, and flags that are false,
// are left out. Throws Error, naming the file and the line, for any other file.
std::vector<Setting> read_config(const std::filesystem::path& path);

// Gives the command those settings that the user did not give and that no given option puts out; returns
// them. Throws UsageError, beginning with `name`, for an option that the command does not have or a value
// that it refuses.
std::vector<Setting> settle(CLI::App& command, const std::vector<Setting>& settings,
                            std::span<const ExclusiveOptions> exclusive, const std::string& name);

// Every option of the command but those of `without` with the value that it has, as a JSON object; options
// that were not given and have no default are left out. Paths of files that are there are made absolute.
std::string resolved_config(const CLI::App& command, std::span<const char* const> without);

}  // namespace ssd::cli
