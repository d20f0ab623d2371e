#include "train/step_pipeline.h"

#include <cmath>
#include <utility>

namespace ssd {
namespace {

Tensor scalar(double value) {
  Tensor tensor(DType::f32, {});
  tensor.as<float>()[0] = static_cast<float>(value);
  return tensor;
}

}  // namespace

StepPipeline::StepPipeline(std::unique_ptr<model::TrainingProgram> program, Loader& loader,
                           const std::atomic<bool>& stop, Options options)
    : loader_(loader),
      stop_(stop),
      options_(std::move(options)),
      program_(std::move(program)),
      next_step_(options_.first) {}

std::optional<FinishedStep> StepPipeline::next() {
  FinishedStep step;
  do {
    while (may_start()) start_micro_batch();
    if (in_flight_.empty()) return std::nullopt;
  } while (!finish_micro_batch(step));
  return step;
}

// A step that was begun is ended, whatever happens. While images are being waited for, steps in flight are
// finished instead: what Loader::next() then waits with none in flight, the device waits too.
bool StepPipeline::may_start() const {
  return !rests_after_ && next_step_ < options_.end && (!stop_ || next_micro_ != 0) &&
         static_cast<int>(in_flight_.size()) < program_->depth() && (in_flight_.empty() || loader_.ready());
}

void StepPipeline::start_micro_batch() {
  MicroBatch micro{loader_.next(),
                   scalar(options_.schedule.rate_at(next_step_)),
                   scalar(1.0 / options_.accumulation),
                   scalar(static_cast<double>(next_step_ + 1)),
                   next_step_ + 1,
                   next_micro_};
  const Batch& batch = *micro.batch;
  if (next_micro_ == 0) first_epoch_ = batch.begin.epoch;
  program_->start(next_micro_, {batch.images, batch.match, batch.boxes, batch.labels, micro.learning_rate,
                                micro.loss_scale, micro.number});
  if (++next_micro_ == options_.accumulation) {
    next_micro_ = 0;
    ++next_step_;
    const StepSpan span{next_step_, first_epoch_, batch.next.epoch};
    if (options_.rests_after && options_.rests_after(span)) rests_after_ = span;
  }
  in_flight_.push_back(std::move(micro));
}

// Whether that was the last of its step, or its loss is not finite.
bool StepPipeline::finish_micro_batch(FinishedStep& step) {
  const MicroBatch micro = std::move(in_flight_.front());
  in_flight_.pop_front();
  const model::TrainingOutputs outputs = program_->finish();
  report_.step = micro.step;
  report_.epoch = micro.batch->begin.epoch;
  report_.learning_rate = micro.learning_rate.as<float>()[0];
  if (const double loss = outputs.loss.as<float>()[0]; !std::isfinite(loss)) {
    report_.loss = loss;
    step = {std::exchange(report_, {}), micro.batch->next, micro.batch->sample_indices};
    return true;
  }
  add_losses(outputs);
  if (micro.index + 1 < options_.accumulation) return false;
  step = {std::exchange(report_, {}), micro.batch->next, {}};
  return true;
}

void StepPipeline::add_losses(const model::TrainingOutputs& outputs) {
  const auto loc = outputs.loc_loss.as<float>(), conf = outputs.conf_loss.as<float>();
  const auto positives = outputs.positives.as<std::int32_t>();
  const double share = 1.0 / options_.accumulation / static_cast<double>(positives.size());
  report_.loss += static_cast<double>(outputs.loss.as<float>()[0]) / options_.accumulation;
  for (std::size_t i = 0; i < positives.size(); ++i) {
    report_.positives += positives[i];
    if (positives[i] == 0) continue;
    report_.loc_loss += share * loc[i] / positives[i];
    report_.conf_loss += share * conf[i] / positives[i];
  }
}

}  // namespace ssd
