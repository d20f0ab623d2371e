// Where commands write: results to files or standard output, progress to standard error.
#pragma once

#include <fmt/format.h>

#include <chrono>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <type_traits>

#include "base/one_line.h"

namespace ssd::cli {

// A value as it is shown: text, which may be anybody's, on one line and without what steers terminals.
template <typename Value>
decltype(auto) shown(const Value& value) {
  if constexpr (std::is_convertible_v<const Value&, std::string_view>)
    return one_line(std::string_view(value));
  else
    return value;
}

template <typename... Shown>
std::string formatted(fmt::string_view format, const Shown&... values) {
  return fmt::vformat(format, fmt::make_format_args(values...));
}

// Tells people something on standard error; the values as shown() gives them. Where that cannot be written (a
// closed pipe, a full disk) it is lost: no work ends for it. Text of several lines, fit for a terminal
// already, goes to tell_text().
void tell_text(const std::string& text);
template <typename... Values>
void tell(fmt::format_string<Values...> format, Values&&... values) {
  tell_text(formatted(format, shown(values)...));
}

// The same on standard output, which main() checks at the end.
void put_text(const std::string& text);
template <typename... Values>
void put(fmt::format_string<Values...> format, Values&&... values) {
  put_text(formatted(format, shown(values)...));
}

// From now on nothing is told, put or written: for all but the first of several processes.
void fall_silent();

// Writes text to a file, whole or not at all; "-" and "/dev/stdout" are standard output.
void write_text(const std::string& path, const std::string& text);
// The same with JSON text and a line end; control characters in its strings stand as "\u009b".
void write_json_text(const std::string& path, const std::string& json);
// The same with one line of JSON. Paths need not be UTF-8: what is not is replaced.
void write_json_line(const std::string& path, const nlohmann::ordered_json& json);
// Throws Error where write_text() could not write, before any work is done in vain. "" and "-" are fine.
void require_writable(const std::string& path);

// A progress line: redrawn in place on a terminal, at most ten times a second; elsewhere a plain line now and
// then.
class Progress {
 public:
  // `what` stands in front: "evaluating". `plain_seconds`: between two lines where there is no terminal.
  explicit Progress(std::string what, double plain_seconds = 10);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // What was done before counts for the bar, but not for the time left.
  void start(std::uint64_t done) { first_ = done; }
  // `note` follows the bar: "12.3 images/s, loss 4.56".
  void show(std::uint64_t done, std::uint64_t of, const std::string& note = "");
  // A line of its own, above the bar.
  void say(const std::string& line);
  // Removes the bar.
  void finish();

 private:
  using Clock = std::chrono::steady_clock;

  std::string what_;
  double plain_seconds_;
  bool terminal_;
  std::uint64_t first_ = 0;
  bool drawn_ = false;
  Clock::time_point started_ = Clock::now();
  Clock::time_point last_{};
};

// "1 h 02 min", "3 min 07 s", "12 s".
std::string duration_text(double seconds);

}  // namespace ssd::cli
