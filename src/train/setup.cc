#include "train/setup.h"

#include <utility>

#include "base/error.h"

namespace ssd {

RunState begun(RunState state, const TrainingTask& task, const TrainerOptions& options) {
  state.model.compute = options.step.compute;
  state.model.frozen_stages = options.step.frozen_stages;
  state.images_per_step =
      options.step.images(std::int64_t{task.device.replicas()} * task.communicator.size());
  state.samples = task.dataset.samples.size();
  state.data = identity_of(task.dataset);
  state.options = options.recorded;
  return state;
}

StepSpan last_step_of(const RunState& state) {
  const std::uint64_t end = state.epoch * state.samples + state.sample;
  const std::uint64_t begin = end - static_cast<std::uint64_t>(state.images_per_step);
  return {state.step, static_cast<std::uint32_t>(begin / state.samples), state.epoch};
}

LoaderOptions loader_options(const TrainingTask& task, const TrainerOptions& options, const RunState& state) {
  return {.mode = LoaderOptions::Mode::train,
          .batch_size = static_cast<int>(options.step.batch * task.device.replicas()),
          .threads = options.data.threads,
          .buffers = 8,
          .seed = state.seed,
          .rank = task.communicator.rank(),
          .world = task.communicator.size(),
          .begin = {state.epoch, state.sample},
          .order = options.data.order,
          .augment = options.data.augment,
          .bad_images = options.data.bad_images};
}

EvaluatorOptions evaluator_options(const TrainerOptions& options) {
  const std::int64_t batch = options.evaluation.batch > 0 ? options.evaluation.batch : options.step.batch;
  return {options.evaluation.epochs, batch, options.data.threads, options.data.bad_images};
}

StatisticsOptions statistics_options(const TrainerOptions& options, const RunState& state) {
  return {.images = options.evaluation.batch_norm_images,
          .batch = options.step.batch,
          .threads = options.data.threads,
          .seed = state.seed};
}

CheckpointOptions checkpoint_options(const TrainingTask& task, const TrainerOptions& options) {
  CheckpointOptions checkpoints = options.checkpoints;
  if (!task.communicator.is_first()) checkpoints.run.clear();
  return checkpoints;
}

StepPipeline::Options pipeline_options(const TrainingTask& task, const TrainerOptions& options,
                                       const RunState& state) {
  PaceOptions pace = options.pace;
  pace.accumulation = options.step.accumulation;
  pace.micro_images = state.images_per_step / options.step.accumulation;
  const std::int64_t unit = pace.rule == RateRule::fixed ? state.images_per_step : pace.base_images;
  pace.schedule.steps_per_epoch = static_cast<double>(state.samples) / static_cast<double>(unit);
  return {.first = state.step,
          .state = state.pace,
          .pace = std::move(pace),
          .ema_decay = options.ema_decay,
          .rests_after = {},
          .in_step = task.communicator.size() > 1};
}

std::unique_ptr<model::TrainingProgram> make_program(const TrainingTask& task, const TrainerOptions& options,
                                                     const RunState& state, const model::State& tensors,
                                                     std::int64_t max_boxes) {
  if (task.device.processes() != task.communicator.size())
    throw Error("training: got {} processes, but --device {} runs {} in step; start one process",
                task.communicator.size(), task.device.name(), task.device.processes());
  const model::TrainingOptions step{.batch = options.step.batch,
                                    .max_boxes = max_boxes,
                                    .optimizer = options.optimizer,
                                    .loss = options.loss,
                                    .replicas = task.device.replicas_in_all(),
                                    .batch_norm_group = options.step.batch_norm_group,
                                    .gradient_squares = options.pace.rule == RateRule::adascale,
                                    .ema = options.ema_decay > 0};
  const int accumulation =
      options.pace.trace.empty() ? options.step.accumulation : model::TrainingProgram::varying;
  auto program = std::make_unique<model::TrainingProgram>(task.device, state.model, step, accumulation);
  program->load(tensors);
  return program;
}

}  // namespace ssd
