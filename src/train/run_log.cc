#include "train/run_log.h"

#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "storage/atomic_file.h"

namespace ssd {
namespace {

namespace fs = std::filesystem;

// The longest lines, evaluations of thousands of classes, have less.
constexpr std::size_t longest_line = std::size_t{16} << 20;

struct LogLine {
  std::int64_t step = 0;  // 0: lines of versions before 0.2 need not tell
  bool is_evaluation = false;
};

// Nothing for a line that no run has written, and for one that was cut short.
std::optional<LogLine> parse_line(const std::string& text) {
  const auto object = nlohmann::json::parse(text, nullptr, false);
  if (!object.is_object()) return std::nullopt;
  const auto event = object.find("event");
  if (event == object.end() || !event->is_string()) return std::nullopt;
  LogLine line{.is_evaluation = *event == "evaluation"};
  if (const auto step = object.find("step"); step != object.end()) {
    if (!step->is_number_unsigned() || *step > std::uint64_t{INT64_MAX}) return std::nullopt;
    step->get_to(line.step);
  }
  return line;
}

// The next line without its end; what is longer than lines are is passed over and given empty.
bool next_line(std::istream& file, std::string& line) {
  line.clear();
  std::size_t length = 0;
  std::streambuf* const bytes = file.rdbuf();
  for (int c = bytes->sbumpc(); c != std::char_traits<char>::eof(); c = bytes->sbumpc()) {
    if (c == '\n') {
      if (length > longest_line) line.clear();
      return true;
    }
    if (++length <= longest_line) line.push_back(static_cast<char>(c));
  }
  if (length > longest_line) line.clear();
  return length > 0;
}

fs::path log_of(const fs::path& run) {
  std::error_code failure;  // opening the file says it better
  fs::create_directories(run, failure);
  return run / "log.jsonl";
}

}  // namespace

RunLog::RunLog(const fs::path& run, std::int64_t step)
    : found_(keep_lines(log_of(run), step)), file_(run / "log.jsonl") {}

// Line by line, for a long run's log is longer than anybody's memory should be taken up by. What is there is
// never written to, so that a file that has this name and another keeps its content.
RunLog::Found RunLog::keep_lines(const fs::path& path, std::int64_t step) {
  Found found;
  std::error_code ignored;
  if (!fs::is_regular_file(fs::symlink_status(path, ignored))) return found;
  std::ifstream old(path, std::ios::binary);
  if (!old) return found;
  AtomicFile kept(path);
  std::string text, block;
  while (next_line(old, text)) {
    const bool whole = !old.eof() && old.rdbuf()->sgetc() != std::char_traits<char>::eof();
    const std::optional<LogLine> line = parse_line(text);
    if (!line) found.foreign_lines += whole;  // the last one was cut short when its writer was killed
    if (!line || line->step > step) continue;
    if (line->is_evaluation) found.last_evaluation = line->step;
    block += text + "\n";
    if (block.size() < (std::size_t{1} << 20)) continue;
    kept.write(std::exchange(block, {}));
  }
  if (old.bad()) throw Error("{}: cannot be read; check the disk", path.string());
  kept.write(block);
  kept.commit();
  return found;
}

void RunLog::write(const std::string& object) { file_.append(object + "\n"); }

}  // namespace ssd
