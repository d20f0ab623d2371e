#include "train/step_pipeline.h"

#include <algorithm>
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
      pace_(options_.pace, options_.first, options_.state) {}

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
  if (rests_after_ || pace_.is_over() || (stop_ && next_micro_ == 0)) return false;
  if (static_cast<int>(in_flight_.size()) >= program_->depth()) return false;
  if (waits_for_gradients()) return false;
  return in_flight_.empty() || options_.in_step || loader_.ready();
}

// Whether the learning rate of what comes next, a step's last micro-batch, hangs on a step in flight.
bool StepPipeline::waits_for_gradients() const {
  return pace_.needs_gradients() && next_micro_ + 1 == pace_.micro_batches() && !in_flight_.empty() &&
         in_flight_.front().step <= pace_.step();
}

void StepPipeline::start_micro_batch() {
  const std::int64_t number = pace_.step() + 1;
  const int micro_batches = pace_.micro_batches();
  MicroBatch micro{.batch = loader_.next(),
                   .learning_rate = scalar(pace_.rate()),
                   .loss_scale = scalar(1.0 / micro_batches),
                   .number = scalar(static_cast<double>(number)),
                   .ema_decay = scalar(ema_decay_at(number)),
                   .step = number,
                   .index = next_micro_,
                   .of = micro_batches,
                   .pace = {},
                   .is_last = false};
  const Batch& batch = *micro.batch;
  if (next_micro_ == 0) first_epoch_ = batch.begin.epoch;
  program_->start(next_micro_, micro_batches,
                  {batch.images, batch.match, batch.boxes, batch.labels, micro.learning_rate,
                   micro.loss_scale, micro.number, micro.ema_decay});
  if (++next_micro_ == micro_batches) {
    next_micro_ = 0;
    micro.pace = pace_.advance();
    micro.is_last = pace_.is_over();
    const StepSpan span{number, first_epoch_, batch.next.epoch, micro.is_last};
    if (options_.rests_after && options_.rests_after(span)) rests_after_ = span;
  }
  in_flight_.push_back(std::move(micro));
}

// Young averages forget faster: until there have been some steps, the weights that they began with would
// outweigh what was learnt.
double StepPipeline::ema_decay_at(std::int64_t number) const {
  const auto n = static_cast<double>(number);
  return std::min(options_.ema_decay, (1 + n) / (10 + n));
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
    step = {std::exchange(report_, {}), micro.batch->next, micro.pace, micro.is_last,
            micro.batch->sample_indices};
    return true;
  }
  add_losses(outputs, micro.of);
  if (pace_.needs_gradients()) add_square(micro, outputs);
  if (micro.index + 1 < micro.of) return false;
  step = {std::exchange(report_, {}), micro.batch->next, micro.pace, micro.is_last, {}};
  if (pace_.needs_gradients()) step.pace = pace_.state();
  return true;
}

// The device's squares are of gradients that were multiplied by the loss scale. After a step's last
// micro-batch the pace is told; nothing was started that hangs on it (waits_for_gradients).
void StepPipeline::add_square(const MicroBatch& micro, const model::TrainingOutputs& outputs) {
  const double scale = micro.loss_scale.as<float>()[0];
  const double square = outputs.micro_square.as<float>()[0];
  mean_square_ += square / (scale * scale) / micro.of;
  if (micro.index + 1 < micro.of) return;
  const std::int64_t images = micro.of * options_.pace.micro_images;  // of all processes
  pace_.observe(std::exchange(mean_square_, 0), outputs.step_square.as<float>()[0],
                static_cast<int>(images / options_.pace.base_images));
}

void StepPipeline::add_losses(const model::TrainingOutputs& outputs, int micro_batches) {
  const auto loc = outputs.loc_loss.as<float>(), conf = outputs.conf_loss.as<float>();
  const auto positives = outputs.positives.as<std::int32_t>();
  const double share = 1.0 / micro_batches / static_cast<double>(positives.size());
  report_.loss += static_cast<double>(outputs.loss.as<float>()[0]) / micro_batches;
  for (std::size_t i = 0; i < positives.size(); ++i) {
    report_.positives += positives[i];
    if (positives[i] == 0) continue;
    report_.loc_loss += share * loc[i] / positives[i];
    report_.conf_loss += share * conf[i] / positives[i];
  }
}

}  // namespace ssd
