#include "train/run_log.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "storage/atomic_file.h"

namespace ssd {
namespace {

std::int64_t step_of(const nlohmann::json& object) { return object.value("step", std::int64_t{0}); }

}  // namespace

RunLog::RunLog(const std::filesystem::path& run, std::int64_t step) : path_(run / "log.jsonl") {
  std::error_code failure;
  std::filesystem::create_directories(run, failure);
  drop_later_lines(step);
  file_.reset(std::fopen(path_.c_str(), "a"));
  if (!file_)
    throw Error("{}: cannot be written: {}; choose another --save folder", path_.string(),
                std::strerror(errno));
}

// A line that was cut short goes as well.
void RunLog::drop_later_lines(std::int64_t step) {
  std::ifstream old(path_);
  if (!old) return;
  std::string kept, line;
  while (std::getline(old, line)) {
    const auto object = nlohmann::json::parse(line, nullptr, false);
    if (!object.is_object() || step_of(object) > step) continue;
    kept += line + "\n";
    if (object.value("event", "") == "evaluation") last_evaluation_ = step_of(object);
  }
  write_file_atomically(path_, kept);
}

void RunLog::write(const std::string& object) {
  const std::string line = object + "\n";
  if (std::fwrite(line.data(), 1, line.size(), file_.get()) != line.size() || std::fflush(file_.get()) != 0)
    throw Error("{}: cannot be written: {}; is the disk full?", path_.string(), std::strerror(errno));
}

}  // namespace ssd
