// Help of a command and the manual of all, both made of the same CLI11 definitions.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace ssd::cli {

// The groups that options stand in. Help shows them in this order, whatever the order of the definitions.
namespace group {
inline constexpr const char* recipe = "Recipe";
inline constexpr const char* input = "Input";
inline constexpr const char* network = "Network";
inline constexpr const char* optimisation = "Optimisation";
inline constexpr const char* evaluation = "Evaluation";
inline constexpr const char* detection = "Detection";
inline constexpr const char* measurement = "Measurement";
inline constexpr const char* output = "Output";
inline constexpr const char* device = "Device";
inline constexpr const char* general = "General";  // --help, --version
}  // namespace group

// Options added to the command from here on stand in the group.
void begin_group(CLI::App& command, const char* group);

// Help in two columns, one line an option: its names and the name of its value, then what it does and the
// default in brackets. The usage line alone says which are required. Nothing is wrapped: a text is short
// enough that its line stays within 110 columns.
class HelpFormatter : public CLI::Formatter {
 public:
  std::string make_help(const CLI::App* app, std::string name, CLI::AppFormatMode mode) const override;
};

// docs/cli.md: every command with its options, exit statuses, environment and files, as Markdown without a
// last end of line.
std::string manual(const CLI::App& program);

}  // namespace ssd::cli
