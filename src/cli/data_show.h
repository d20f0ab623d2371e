// singleshot data show.
#pragma once

#include <CLI/CLI.hpp>

namespace ssd::cli {

void add_data_show(CLI::App& data);

}  // namespace ssd::cli
