// TensorBoard's log of a run: scalars over steps.
//
// An event file is a row of records: u64 size, masked CRC-32C of the size, data, masked CRC-32C of the data
// (the TFRecord framing), each holding a protobuf message Event {1: double wall_time, 2: int64 step,
// 3: string file_version, 5: Summary {1: Value {1: string tag, 2: float simple_value}} or
// 7: SessionLog {1: status, START = 1}}.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "storage/append_file.h"

namespace ssd {

struct Scalar {
  std::string_view tag;  // "loss", "eval/mAP": a slash groups charts
  float value;
};

// Appends to a new event file of a run. A record is written at once, so what a killed run logged stays
// readable.
class EventFile {
 public:
  // Creates `events.out.tfevents.SECONDS.HOST.PID.N` in the folder, which is made if it is missing.
  // TensorBoard reads all such files of a folder as one run, so a resumed run simply starts another, and says
  // where it begins.
  explicit EventFile(const std::filesystem::path& folder);

  // One event with all the scalars, at this moment. Throws Error if it cannot be written.
  void add(std::int64_t step, std::span<const Scalar> scalars);

  // Says that what other files hold of this step and later ones was lost and is made again: TensorBoard then
  // shows the new values only. To be called before add().
  void begin_at(std::int64_t step);

  // Brings everything to the disk.
  void flush() { file_.flush(); }

  const std::filesystem::path& path() const { return file_.path(); }

 private:
  AppendFile file_;
};

}  // namespace ssd
