#include "cli/output.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "storage/atomic_file.h"

namespace ssd::cli {
namespace {

constexpr int bar_cells = 24;
constexpr double redraw_seconds = 0.1;

bool silent = false;

std::string bar(std::uint64_t done, std::uint64_t of) {
  const auto full = static_cast<std::size_t>(of == 0 ? 0 : done * bar_cells / of);
  return "[" + std::string(full, '#') + std::string(bar_cells - full, '.') + "]";
}

}  // namespace

void fall_silent() { silent = true; }

void tell_text(const std::string& text) {
  if (!silent) std::fwrite(text.data(), 1, text.size(), stderr);
}

void put_text(const std::string& text) {
  if (!silent) std::fwrite(text.data(), 1, text.size(), stdout);
}

void write_text(const std::string& path, const std::string& text) {
  if (silent) return;
  // The second is the first, also where it leads to a file that was written to before.
  if (path == "-" || path == "/dev/stdout")
    put_text(text);
  else
    write_output(path, text);
}

void require_writable(const std::string& path) {
  if (path.empty() || path == "-") return;
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  if (std::filesystem::is_directory(path)) throw Error("{}: got a folder, expected a file to write", path);
  if (::access(folder.empty() ? "." : folder.c_str(), W_OK | X_OK) != 0)
    throw Error("{}: cannot be written: {}; name a file in a folder that is there", path,
                std::strerror(errno));
}

void write_json_text(const std::string& path, const std::string& json) {
  write_text(path, visible_json(json) + "\n");
}

void write_json_line(const std::string& path, const nlohmann::ordered_json& json) {
  write_json_text(path, json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
}

std::string duration_text(double seconds) {
  const auto whole = static_cast<long>(seconds + 0.5);
  if (whole >= 3600) return fmt::format("{} h {:02} min", whole / 3600, whole / 60 % 60);
  if (whole >= 60) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return fmt::format("{} s", whole);
}

Progress::Progress(std::string what, double plain_seconds)
    : what_(std::move(what)), plain_seconds_(plain_seconds), terminal_(isatty(STDERR_FILENO) == 1) {
  if (!terminal_) last_ = started_;
}

Progress::~Progress() { finish(); }

void Progress::show(std::uint64_t done, std::uint64_t of, const std::string& note) {
  const Clock::time_point now = Clock::now();
  const double since = std::chrono::duration<double>(now - last_).count();
  if (since < (terminal_ ? redraw_seconds : plain_seconds_) && done != of) return;
  last_ = now;
  const double elapsed = std::chrono::duration<double>(now - started_).count();
  const std::string left =
      done > first_ && done < of
          ? ", " +
                duration_text(elapsed / static_cast<double>(done - first_) * static_cast<double>(of - done)) +
                " left"
          : "";
  const std::string text = fmt::format("{}/{}{}{}{}", done, of, note.empty() ? "" : ", ", note, left);
  if (terminal_)
    tell("\r\x1b[K{} {} {}", what_, bar(done, of), text);
  else
    tell("{} {}\n", what_, text);
  drawn_ = terminal_;
}

void Progress::say(const std::string& line) {
  if (drawn_) tell("\r\x1b[K");
  tell("{}\n", line);
  drawn_ = false;
}

void Progress::finish() {
  if (drawn_) tell("\n");
  drawn_ = false;
}

}  // namespace ssd::cli
