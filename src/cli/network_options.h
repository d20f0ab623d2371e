// The options that say which network it is, the same for every command.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace ssd::cli {

// --backbone.
void add_backbone_option(CLI::App& command, std::string& backbone);

// --checkpoint and --stride-in (empty: as the checkpoint says), of a network that is trained already.
CLI::Option* add_checkpoint_options(CLI::App& command, std::string& checkpoint, std::string& stride_in);

}  // namespace ssd::cli
