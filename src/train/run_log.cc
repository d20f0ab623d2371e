#include "train/run_log.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "files/atomic_file.h"

namespace ssd {
namespace {

// Whether a line stays when the run goes on after `step`. A line that was cut short does not.
bool stays(const std::string& line, std::int64_t step) {
  const auto object = nlohmann::json::parse(line, nullptr, false);
  if (!object.is_object()) return false;
  return object.value("step", std::int64_t{0}) <= step;
}

void drop_later_lines(const std::filesystem::path& path, std::int64_t step) {
  std::ifstream old(path);
  if (!old) return;
  std::string kept, line;
  while (std::getline(old, line))
    if (stays(line, step)) kept += line + "\n";
  write_file_atomically(path, kept);
}

}  // namespace

RunLog::RunLog(const std::filesystem::path& run, std::int64_t step) : path_(run / "log.jsonl") {
  std::error_code failure;
  std::filesystem::create_directories(run, failure);
  drop_later_lines(path_, step);
  file_.reset(std::fopen(path_.c_str(), "a"));
  if (!file_)
    throw Error("{}: cannot be written: {}; choose another --save folder", path_.string(),
                std::strerror(errno));
}

void RunLog::write(const std::string& object) {
  const std::string line = object + "\n";
  if (std::fwrite(line.data(), 1, line.size(), file_.get()) != line.size() || std::fflush(file_.get()) != 0)
    throw Error("{}: cannot be written: {}; is the disk full?", path_.string(), std::strerror(errno));
}

}  // namespace ssd
