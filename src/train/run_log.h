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
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>

namespace ssd {

class RunLog {
 public:
  // Opens the log for appending. Lines of steps after `step` (written by a run that was stopped after its
  // last checkpoint) are dropped. Throws Error when the file cannot be written.
  RunLog(const std::filesystem::path& run, std::int64_t step);

  // One JSON object, without the line's end.
  void write(const std::string& object);

  // The step after which the last evaluation was made that the log held when it was opened; -1: none.
  std::int64_t last_evaluation() const { return last_evaluation_; }

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  void drop_later_lines(std::int64_t step);

  std::filesystem::path path_;
  std::int64_t last_evaluation_ = -1;
  std::unique_ptr<std::FILE, Close> file_;
};

}  // namespace ssd
