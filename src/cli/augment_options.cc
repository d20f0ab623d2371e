#include "cli/augment_options.h"

#include "base/error.h"
#include "data/loader/augment_options.h"

namespace ssd::cli {
namespace {

CLI::Validator augment_list() {
  return CLI::Validator(
      [](std::string& text) {
        try {
          augment_options(text);
          return std::string();
        } catch (const Error& error) {
          return std::string(error.what());
        }
      },
      "");
}

}  // namespace

void add_augment_option(CLI::App& command, std::string& names) {
  command
      .add_option("--augment", names,
                  "Changes to images: all, none or names with commas (a wrong one lists all)")
      ->type_name("LIST")
      ->check(augment_list())
      ->capture_default_str();
}

}  // namespace ssd::cli
