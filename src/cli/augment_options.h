// --augment.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace ssd::cli {

// Refuses lists that augment_options() does not take.
void add_augment_option(CLI::App& command, std::string& names);

}  // namespace ssd::cli
