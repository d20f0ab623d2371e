// A run's log.jsonl: whatever lies there, the run goes on, keeps what it may keep, and adds its lines at the
// end.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <string>

#include "file_in_folder.h"
#include "train/run_log.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const ssd::FuzzFolder folder;
  folder.write("log.jsonl", data, size);
  constexpr std::int64_t step = 5;
  const std::string added = R"({"event":"step","step":6})";
  {
    ssd::RunLog log(folder.path(), step);
    if (log.last_evaluation() > step || log.last_evaluation() < -1) std::abort();
    log.write(added);
  }
  std::ifstream file(folder.path() / "log.jsonl", std::ios::binary);
  std::string last;
  for (std::string line; std::getline(file, line);) last = line;
  if (last != added) std::abort();
  if (ssd::RunLog(folder.path(), step + 1).foreign_lines() != 0)
    std::abort();  // all that was kept is a run's
  return 0;
}
