#include "train/trainer.h"

#include <array>
#include <cmath>
#include <memory>
#include <utility>

#include "base/error.h"
#include "train/inference_weights.h"
#include "train/run_record.h"

namespace ssd {
namespace {

bool is_finite(const TensorMap& tensors) {
  for (const auto& [name, tensor] : tensors)
    for (const float value : tensor.as<float>())
      if (!std::isfinite(value)) return false;
  return true;
}

// The run's state before its first step.
RunState begun(RunState state, const TrainingTask& task, const TrainerOptions& options) {
  state.model.compute = options.step.compute;
  state.images_per_step =
      options.step.batch * options.step.accumulation * task.device.replicas() * task.communicator.size();
  state.samples = task.dataset.samples.size();
  state.data = identity_of(task.dataset);
  state.options = options.recorded;
  return state;
}

// The step that a checkpoint was written after.
StepSpan last_step_of(const RunState& state) {
  const std::uint64_t end = state.epoch * state.samples + state.sample;
  const std::uint64_t begin = end - static_cast<std::uint64_t>(state.images_per_step);
  return {state.step, static_cast<std::uint32_t>(begin / state.samples), state.epoch};
}

class Training {
 public:
  Training(const TrainingTask& task, TrainingStart start, const TrainerOptions& options)
      : task_(task),
        options_(options),
        state_(begun(std::move(start.state), task, options)),
        record_(task.communicator.is_first() ? options.checkpoints.run : "", state_.step),
        checkpointer_(checkpoint_options(), state_.step,
                      [this](std::int64_t step, const std::filesystem::path& folder) {
                        record_.checkpoint(step, folder);
                        task_.observer.on_checkpoint(step, folder);
                      }),
        evaluator_(
            task.device, state_.model, task.validation, task.communicator,
            {options.evaluation.epochs, options.step.batch, options.data.threads, options.data.bad_images}),
        inference_(task.device, state_.model, task.dataset, statistics_options()),
        loader_(task.dataset, loader_options()),
        pipeline_(make_program(start.tensors), loader_, task.stop, pipeline_options()),
        speed_(state_.images_per_step, state_.step) {}

  TrainingResult run() {
    catch_up_on_evaluation();
    while (true) {
      while (const auto step = pipeline_.next()) finish(*step);
      const auto rest = pipeline_.rests_after();
      if (!rest) break;  // all steps are done, or it was asked to stop
      state_.owed_evaluation = evaluator_.due(*rest);
      write_checkpoint();  // before an evaluation, which takes long
      if (state_.owed_evaluation) evaluate();
      pipeline_.resume();
    }
    // A stop within an evaluation leaves the checkpoint before it, which was not meant to be the last.
    if (state_.step > checkpointer_.last_step() || (task_.stop && !checkpointer_.last_is_for_inference()))
      write_checkpoint();
    return {.step = state_.step,
            .stopped = state_.step < options_.iterations || state_.owed_evaluation.has_value(),
            .bad_images = loader_.bad_images()};
  }

 private:
  CheckpointOptions checkpoint_options() const {
    CheckpointOptions checkpoints = options_.checkpoints;
    if (!task_.communicator.is_first()) checkpoints.run.clear();
    return checkpoints;
  }

  StatisticsOptions statistics_options() const {
    return {.images = options_.evaluation.batch_norm_images,
            .batch = options_.step.batch,
            .threads = options_.data.threads,
            .seed = state_.seed};
  }

  LoaderOptions loader_options() {
    return {.mode = LoaderOptions::Mode::train,
            .batch_size = static_cast<int>(options_.step.batch * task_.device.replicas()),
            .threads = options_.data.threads,
            .buffers = 8,
            .seed = state_.seed,
            .rank = task_.communicator.rank(),
            .world = task_.communicator.size(),
            .begin = {state_.epoch, state_.sample},
            .order = options_.data.order,
            .augment = options_.data.augment,
            .bad_images = options_.data.bad_images,
            .on_bad_image = [this](const BadImage& image) { report_bad_image(image); }};
  }

  std::unique_ptr<model::TrainingProgram> make_program(const model::State& tensors) {
    const model::TrainingOptions step{.batch = options_.step.batch,
                                      .max_boxes = loader_.max_boxes(),
                                      .optimizer = options_.optimizer,
                                      .replicas = task_.device.replicas(),
                                      .batch_norm_group = options_.step.batch_norm_group};
    auto program = std::make_unique<model::TrainingProgram>(task_.device, state_.model, step,
                                                            options_.step.accumulation);
    program->load(tensors);
    return program;
  }

  StepPipeline::Options pipeline_options() {
    StepPipeline::Options pipeline{.first = state_.step,
                                   .end = options_.iterations,
                                   .accumulation = options_.step.accumulation,
                                   .schedule = options_.schedule,
                                   .rests_after = [this](const StepSpan& step) {
                                     return evaluator_.due(step).has_value() || checkpointer_.due(step);
                                   }};
    pipeline.schedule.steps_per_epoch =
        static_cast<double>(state_.samples) / static_cast<double>(state_.images_per_step);
    return pipeline;
  }

  void report_bad_image(const BadImage& image) {
    record_.bad_image(pipeline_.started(), image);
    task_.observer.on_bad_image(image);
  }

  // An evaluation that a resumed run was stopped in, or before.
  void catch_up_on_evaluation() {
    const bool from_log = !state_.tells_owed_evaluation && state_.step > 0 &&
                          !options_.checkpoints.run.empty() && record_.last_evaluation() < state_.step;
    if (from_log) state_.owed_evaluation = evaluator_.due(last_step_of(state_));
    state_.tells_owed_evaluation = true;
    if (!task_.validation) state_.owed_evaluation.reset();
    if (state_.owed_evaluation) evaluate();
  }

  void finish(FinishedStep step) {
    if (!step.bad_samples.empty()) fail_at(step);
    average(step.report);
    state_.step = step.report.step;
    state_.epoch = step.next.epoch;
    state_.sample = step.next.sample;
    record_.step(step.report);
    task_.observer.on_step(step.report);
    if (state_.step % options_.speed_interval != 0 && state_.step != options_.iterations) return;
    const SpeedReport speed = speed_.report(state_.step, loader_.times().wait);
    record_.speed(speed, loader_.bad_images(), loader_.replaced());
    task_.observer.on_speed(speed);
  }

  // Each process's losses are of its own images.
  void average(StepReport& report) {
    const auto processes = static_cast<double>(task_.communicator.size());
    std::array<double, 4> values{report.loss, report.loc_loss, report.conf_loss,
                                 static_cast<double>(report.positives)};
    task_.communicator.all_reduce(values);
    report.loss = values[0] / processes;
    report.loc_loss = values[1] / processes;
    report.conf_loss = values[2] / processes;
    report.positives = static_cast<std::int64_t>(values[3]);
  }

  // The run's last checkpoint has inference weights; the running averages then lie beside the optimizer's
  // slots, so that a resumed run goes on with them.
  void write_checkpoint() {
    model::State tensors = pipeline_.program().save();
    if (!is_finite(tensors.weights)) fail_not_finite("weights");
    const bool last = task_.stop || state_.step == options_.iterations;
    const bool for_inference = last && inference_.reestimate();
    // Re-estimating takes a while, and who asked for the stop may not wait.
    if (!for_inference || (task_.stop && !checkpointer_.wrote(state_.step)))
      checkpointer_.write(state_, tensors, !inference_.reestimate());
    if (!for_inference) return;
    const TensorMap& weights = inference_.after(state_.step, tensors.weights);
    if (!is_finite(weights)) {  // a resumed run can go on from the averages
      if (!checkpointer_.wrote(state_.step)) checkpointer_.write(state_, tensors, false);
      fail_not_finite("re-estimated batch-norm statistics");
    }
    for (const auto& [name, tensor] : tensors.weights)
      if (model::is_statistic(name)) tensors.averages["running"].emplace(name, tensor.clone());
    tensors.weights = clone(weights);
    checkpointer_.write(state_, tensors, true);
  }

  // Makes the evaluation that is owed. It stays owed where the run is to stop before its end.
  void evaluate() {
    if (task_.stop) return;
    const std::uint32_t epoch = *state_.owed_evaluation;
    const TensorMap& weights = inference_.after(state_.step, pipeline_.program().save().weights);
    if (!is_finite(weights)) fail_not_finite("re-estimated batch-norm statistics");
    const auto report = evaluator_.evaluate(
        weights, task_.stop,
        {.on_bad_image = [this](const BadImage& image) { report_bad_image(image); },
         .progress = [this](std::uint64_t done,
                            std::uint64_t of) { task_.observer.on_evaluating(done, of); }});
    speed_.skip(state_.step, loader_.times().wait);
    if (!report) return;
    state_.owed_evaluation.reset();
    if (!task_.communicator.is_first()) return;
    record_.evaluation(state_.step, epoch, *report);
    task_.observer.on_evaluation(state_.step, epoch, *report);
    checkpointer_.rewrite_state(state_);
  }

  [[noreturn]] void fail_at(const FinishedStep& step) {
    std::string files;
    for (const std::uint32_t sample : step.bad_samples)
      files += (files.empty() ? "" : ", ") +
               std::filesystem::path(task_.dataset.samples[sample].file).filename().string();
    record_.not_finite(step.report.step, files);
    throw Error(
        "training: the loss of step {} is {}; its images: {}; last good checkpoint: {}; try a lower "
        "--learning-rate or a longer --warmup",
        step.report.step, step.report.loss, files, checkpointer_.last_good());
  }

  [[noreturn]] void fail_not_finite(std::string_view what) {
    record_.not_finite(state_.step);
    throw Error(
        "training: {} are not finite after step {}; last good checkpoint: {}; try a lower --learning-rate "
        "or a longer --warmup",
        what, state_.step, checkpointer_.last_good());
  }

  const TrainingTask& task_;
  const TrainerOptions& options_;
  RunState state_;    // after the last finished step
  RunRecord record_;  // before the program: compiling it may take minutes
  Checkpointer checkpointer_;
  Evaluator evaluator_;
  InferenceWeights inference_;
  Loader loader_;
  StepPipeline pipeline_;
  SpeedMeter speed_;
};

}  // namespace

TrainingResult train(const TrainingTask& task, TrainingStart start, const TrainerOptions& options) {
  return Training(task, std::move(start), options).run();
}

}  // namespace ssd
