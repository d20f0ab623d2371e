// The log of a run: RUN/log.jsonl, one JSON object a line, each with an "event".
//
//   {"event":"start","step":0,"weights":".."}, of a fresh run: where its weights come from
//   {"event":"step","step":1,"epoch":0,"loss":..,"loc_loss":..,"conf_loss":..,"positives":..,
//    "learning_rate":..}
//   {"event":"speed","step":20,"images_per_s":..,"data_wait":..,"seconds":..,"bad_images":..,"replaced":..}
//   {"event":"bad_image","file":..,"reason":..}, {"event":"evaluation",..}, {"event":"checkpoint",..}
//
// Step lines hold nothing that depends on the clock: the same run gives the same lines.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "storage/append_file.h"

namespace ssd {

class RunLog {
 public:
  // Opens the log for appending. Lines of steps after `step` (written by a run that was stopped after its
  // last checkpoint) are dropped, and those that no run has written. Throws Error when the file cannot be
  // written, and where it is a link.
  RunLog(const std::filesystem::path& run, std::int64_t step);

  // One JSON object, without the line's end. Throws Error where it cannot be written; the log then ends as
  // before, and the next line can be tried.
  void write(const std::string& object);

  // The step after which the last evaluation was made that the log held when it was opened; -1: none.
  std::int64_t last_evaluation() const { return found_.last_evaluation; }
  // Lines that were dropped since they were no JSON object with an event and a step.
  std::int64_t foreign_lines() const { return found_.foreign_lines; }

  const std::filesystem::path& path() const { return file_.path(); }

 private:
  struct Found {
    std::int64_t last_evaluation = -1;
    std::int64_t foreign_lines = 0;
  };
  static Found keep_lines(const std::filesystem::path& path, std::int64_t step);

  Found found_;
  AppendFile file_;
};

}  // namespace ssd
