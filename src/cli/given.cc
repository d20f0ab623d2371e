#include "cli/given.h"

#include <algorithm>
#include <string_view>

#include "base/error.h"

namespace ssd::cli {
namespace {

[[noreturn]] void refuse(const std::string& option, const std::string& beside) {
  throw UsageError("{}: got it with {}, beside which it would do nothing; leave one of them out", option,
                   beside);
}

}  // namespace

bool is_given(const CLI::App& command, const std::string& option) {
  return command.get_option(option)->count() > 0;
}

void refuse_beside(const CLI::App& command, const std::string& beside, std::span<const char* const> options) {
  for (const char* option : options)
    if (is_given(command, option)) refuse(option, beside);
}

void refuse_all_beside(const CLI::App& command, const std::string& beside,
                       std::span<const char* const> useful) {
  for (const CLI::Option* option : command.get_options()) {
    const std::string name = option->get_name();
    const bool is_useful =
        std::any_of(useful.begin(), useful.end(), [&](std::string_view u) { return u == name; });
    if (option->count() > 0 && !is_useful) refuse(name, beside);
  }
}

}  // namespace ssd::cli
