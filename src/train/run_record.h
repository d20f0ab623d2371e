// What a run writes down on the way, beside its checkpoints: log.jsonl (run_log.h) and TensorBoard's curves
// (files/event_file.h).
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <initializer_list>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <utility>

#include "base/error.h"
#include "detect/evaluation.h"
#include "train/event_file.h"
#include "train/run_log.h"
#include "train/speed_meter.h"
#include "train/step_pipeline.h"

namespace ssd {

class RunRecord {
 public:
  using Warn = std::function<void(const std::string& line)>;

  // Of the run in a folder, from after `step` on; an empty folder name: nothing is written. Throws Error when
  // a file cannot be opened. Later a line or a point of a curve that cannot be written is lost: `warn` is
  // told of the first one of each file, and training goes on.
  RunRecord(const std::filesystem::path& run, std::int64_t step, Warn warn = {});

  // A run that begins, and where its weights come from.
  void start(std::int64_t step, const std::string& origin);
  void step(const StepReport& report);
  // `bad_images`, `replaced`: the loader's counts so far.
  void speed(const SpeedReport& report, std::size_t bad_images, std::size_t replaced);
  void bad_image(std::int64_t step, const BadImage& image);
  void checkpoint(std::int64_t step, const std::filesystem::path& folder);
  void evaluation(std::int64_t step, std::uint32_t epoch, const EvaluationReport& report);
  // `files`: the images of a step whose loss it is; empty where it is something else.
  void not_finite(std::int64_t step, const std::string& files = "");

  // The step after which the last evaluation was made that the log held at first; -1: none or no log.
  std::int64_t last_evaluation() const { return log_ ? log_->last_evaluation() : -1; }

 private:
  void write(const nlohmann::ordered_json& object);
  void chart(std::int64_t step, std::initializer_list<std::pair<const char*, double>> values);

  void warn_once(bool& warned, const Error& error);

  std::optional<RunLog> log_;
  std::optional<EventFile> events_;
  Warn warn_;
  bool warned_of_log_ = false, warned_of_events_ = false;
};

}  // namespace ssd
