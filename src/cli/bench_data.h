// singleshot bench data: the input pipeline alone.
#pragma once

#include <CLI/CLI.hpp>

namespace ssd::cli {

void add_bench_data(CLI::App& bench);

}  // namespace ssd::cli
