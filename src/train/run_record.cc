#include "train/run_record.h"

#include <nlohmann/json.hpp>
#include <vector>

#include "base/counted.h"
#include "base/one_line.h"

namespace ssd {

RunRecord::RunRecord(const std::filesystem::path& run, std::int64_t step, Warn warn)
    : warn_(std::move(warn)) {
  if (run.empty()) return;
  log_.emplace(run, step);
  if (log_->foreign_lines() > 0 && warn_)
    warn_(log_->path().string() + ": " +
          counted(static_cast<std::size_t>(log_->foreign_lines()),
                  "line[s] [was|were] none of a run's and [has|have] been dropped"));
  events_.emplace(run);
  events_->begin_at(step + 1);
}

void RunRecord::step(const StepReport& report) {
  write({{"event", "step"},
         {"step", report.step},
         {"epoch", report.epoch},
         {"loss", report.loss},
         {"loc_loss", report.loc_loss},
         {"conf_loss", report.conf_loss},
         {"positives", report.positives},
         {"learning_rate", report.learning_rate}});
  chart(report.step, {{"train/loss", report.loss},
                      {"train/loc_loss", report.loc_loss},
                      {"train/conf_loss", report.conf_loss},
                      {"train/learning_rate", report.learning_rate}});
}

void RunRecord::speed(const SpeedReport& report, std::size_t bad_images, std::size_t replaced) {
  write({{"event", "speed"},
         {"step", report.step},
         {"images_per_s", report.images_per_s},
         {"data_wait", report.data_wait},
         {"seconds", report.seconds},
         {"bad_images", bad_images},
         {"replaced", replaced}});
  chart(report.step, {{"speed/images_per_s", report.images_per_s}, {"speed/data_wait", report.data_wait}});
}

void RunRecord::start(std::int64_t step, const std::string& origin) {
  write({{"event", "start"}, {"step", step}, {"weights", origin}});
}

void RunRecord::bad_image(std::int64_t step, const BadImage& image) {
  write({{"event", "bad_image"}, {"step", step}, {"file", image.file}, {"reason", image.reason}});
}

void RunRecord::checkpoint(std::int64_t step, const std::filesystem::path& folder) {
  write({{"event", "checkpoint"}, {"step", step}, {"folder", folder.filename().string()}});
}

void RunRecord::evaluation(std::int64_t step, std::uint32_t epoch, const EvaluationReport& report) {
  write({{"event", "evaluation"},
         {"step", step},
         {"epoch", epoch},
         {"report", nlohmann::ordered_json::parse(to_json(report))}});
  chart(step, {{"eval/AP", report.numbers[0]}, {"eval/AP50", report.numbers[1]}});
}

void RunRecord::not_finite(std::int64_t step, const std::string& files) {
  nlohmann::ordered_json object{{"event", "not_finite"}, {"step", step}};
  if (!files.empty()) object["files"] = files;
  write(object);
}

void RunRecord::write(const nlohmann::ordered_json& object) {
  // File names may hold any bytes.
  if (!log_) return;
  const std::string line =
      visible_json(object.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
  try {
    log_->write(line);
  } catch (const Error& error) {
    warn_once(warned_of_log_, error);
  }
}

void RunRecord::warn_once(bool& warned, const Error& error) {
  if (!warned && warn_)
    warn_(fmt::format("{}; training goes on without what cannot be written", error.what()));
  warned = true;
}

void RunRecord::chart(std::int64_t step, std::initializer_list<std::pair<const char*, double>> values) {
  if (!events_) return;
  std::vector<Scalar> scalars;
  for (const auto& [tag, value] : values) scalars.push_back({tag, static_cast<float>(value)});
  try {
    events_->add(step, scalars);
  } catch (const Error& error) {
    warn_once(warned_of_events_, error);
  }
}

}  // namespace ssd
