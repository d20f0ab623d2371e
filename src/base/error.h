// The one exception type of Singleshot.
#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <string>

namespace ssd {

// Thrown for everything a user can cause: bad files, bad options, a device that refuses.
// The message is one line, `what: got X, expected Y; do Z`, with the file name and position where there is
// one. Broken invariants are asserts instead.
class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& message) : std::runtime_error(message) {}

  template <typename... Args>
  explicit Error(fmt::format_string<Args...> format, Args&&... args)
      : std::runtime_error(fmt::format(format, std::forward<Args>(args)...)) {}
};

// Thrown for a command line that cannot be understood (exit status 2).
class UsageError : public Error {
 public:
  using Error::Error;
};

}  // namespace ssd
