// --max-image-pixels, of every command that decodes images.
#pragma once

#include <CLI/CLI.hpp>

namespace ssd::cli {

// To be called when the program has all its commands. Read options set the limit for the whole program.
void add_image_limit_option(CLI::App& program);

}  // namespace ssd::cli
