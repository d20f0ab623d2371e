#include "cli/image_limit_option.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "cli/help.h"
#include "cli/validators.h"
#include "image/image_limits.h"

namespace ssd::cli {
namespace {

constexpr std::array<std::string_view, 8> decoding = {"train",      "eval",       "detect",      "bench data",
                                                      "data check", "data cache", "data import", "data show"};

void add_to(CLI::App& command) {
  // A size that a JPEG's two sides of 65535 have; of other formats no larger one is of use.
  constexpr std::int64_t most = std::int64_t{1} << 32;
  command
      .add_option_function<std::int64_t>("--max-image-pixels", set_max_image_pixels,
                                         "Pixels above which an image is refused")
      ->check(count_up_to(most))
      ->default_str(fmt::format("{}", image_limits().pixels))
      ->group(group::input);
}

// `name`: of the command among all, "data import".
void add_below(CLI::App& command, const std::string& name, bool decodes) {
  decodes = decodes || std::ranges::find(decoding, name) != decoding.end();
  const auto commands = command.get_subcommands([](const CLI::App*) { return true; });
  if (commands.empty() && decodes) add_to(command);
  for (CLI::App* below : commands)
    add_below(*below, name.empty() ? below->get_name() : name + " " + below->get_name(), decodes);
}

}  // namespace

void add_image_limit_option(CLI::App& program) { add_below(program, "", false); }

}  // namespace ssd::cli
