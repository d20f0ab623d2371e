#include "train/trainer.h"

#include <array>
#include <utility>

#include "base/error.h"
#include "base/finite.h"
#include "train/agreed_stop.h"
#include "train/inference_weights.h"
#include "train/run_record.h"
#include "train/setup.h"
#include "train/sharing.h"

namespace ssd {
namespace {

// Over 12 members: the parts of a run, in the order in which they are made.
class Training {
 public:
  Training(const TrainingTask& task, TrainingStart start, const TrainerOptions& options)
      : task_(task),
        options_(options),
        stop_(task.stop, task.communicator),
        bad_images_(task.communicator, [this](const BadImage& image) { report_bad_image(image); }),
        state_(begun(std::move(start.state), task, options)),
        record_(checkpoint_options(task, options).run, state_.step,
                [this](const std::string& line) { task_.observer.on_warning(line); }),
        inference_(task.device, state_.model, task.dataset, statistics_options(options, state_)),
        checkpointer_(checkpoint_options(task, options), state_.step, inference_,
                      {.written = [this](const std::filesystem::path& folder) { report_checkpoint(folder); },
                       .warning = [this](const std::string& line) { task_.observer.on_warning(line); }}),
        evaluator_(task.device, state_.model, task.validation, task.communicator, evaluator_options(options)),
        loader_(task.dataset, with_reports(loader_options(task, options, state_))),
        pipeline_(make_program(task, options, state_, start.tensors, loader_.max_boxes()), loader_,
                  stop_.flag(), with_rests(pipeline_options(task, options, state_))),
        speed_(images_so_far()) {
    if (!start.origin.empty()) record_.start(state_.step, start.origin);
  }

  TrainingResult run() {
    catch_up_on_evaluation();
    while (true) {
      while (const auto step = pipeline_.next()) finish(*step);
      const auto rest = pipeline_.rests_after();
      if (!rest) break;  // all steps are done, or it was asked to stop
      state_.owed_evaluation = evaluator_.due(*rest);
      write_checkpoint();  // before an evaluation, which takes long
      if (state_.owed_evaluation) evaluate();
      if (rest->is_last || ended_early_) break;
      pipeline_.resume();
    }
    // A stop within an evaluation leaves the checkpoint before it, which was not meant to be the last.
    const bool ends = stop_ || ended_early_;
    if (first_says(task_.communicator, state_.step > checkpointer_.last_step() ||
                                           (ends && !checkpointer_.last_is_for_inference())))
      write_checkpoint();
    auto bad_images = static_cast<double>(loader_.bad_images());
    task_.communicator.all_reduce({&bad_images, 1});
    return {.step = state_.step,
            .stopped = !(pipeline_.is_over() || ended_early_) || state_.owed_evaluation.has_value(),
            .lost_patience = ended_early_,
            .best = state_.best,
            .bad_images = static_cast<std::size_t>(bad_images)};
  }

 private:
  LoaderOptions with_reports(LoaderOptions loader) {
    loader.on_bad_image = [this](const BadImage& image) { bad_images_.add(image); };
    return loader;
  }

  StepPipeline::Options with_rests(StepPipeline::Options pipeline) {
    pipeline.rests_after = [this](const StepSpan& step) {
      const bool evaluates = evaluator_.due(step).has_value();
      return evaluates || first_says(task_.communicator, checkpointer_.due(step));  // clocks differ
    };
    return pipeline;
  }

  void report_checkpoint(const std::filesystem::path& folder) {
    record_.checkpoint(state_.step, folder);
    task_.observer.on_checkpoint(state_.step, folder);
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
    stop_.agree();
    bad_images_.exchange();
    state_.step = step.report.step;
    task_.communicator.at_step(state_.step);
    state_.epoch = step.next.epoch;
    state_.sample = step.next.sample;
    state_.pace = step.pace;
    record_.step(step.report);
    task_.observer.on_step(step.report);
    if (state_.step % options_.speed_interval != 0 && !step.is_last) return;
    const SpeedReport speed = speed_.report(state_.step, images_so_far(), loader_.times().wait);
    record_.speed(speed, loader_.bad_images(), loader_.replaced());
    task_.observer.on_speed(speed);
  }

  std::uint64_t images_so_far() const { return state_.epoch * state_.samples + state_.sample; }

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

  void write_checkpoint() {
    const bool last = stop_ || pipeline_.is_over() || ended_early_;
    model::State tensors = pipeline_.program().save();
    expect_same_weights(task_.communicator, tensors.weights);
    const std::string_view bad =
        checkpointer_.write(state_, std::move(tensors), {.last = last, .hurry = stop_.flag()});
    if (!bad.empty()) fail_not_finite(bad);
  }

  // Makes the evaluation that is owed. It stays owed where the run is to stop before its end.
  void evaluate() {
    if (stop_) return;
    const std::uint32_t epoch = *state_.owed_evaluation;
    const TensorMap& weights = inference_weights();
    if (first_says(task_.communicator, !not_finite(weights).empty())) fail_not_finite(InferenceWeights::what);
    const auto report = evaluator_.evaluate(
        weights, stop_,
        {.on_bad_image = [this](const BadImage& image) { bad_images_.add(image); },
         .progress = [this](std::uint64_t done,
                            std::uint64_t of) { task_.observer.on_evaluating(done, of); }});
    bad_images_.exchange();
    speed_.skip(images_so_far(), loader_.times().wait);
    if (!report) return;
    state_.owed_evaluation.reset();
    if (task_.communicator.is_first()) {
      const bool best = judge(*report, epoch);
      if (best) checkpointer_.write_best(state_, weights);
      record_.evaluation(state_.step, epoch, *report);
      task_.observer.on_evaluation(state_.step, epoch, *report, best);
      checkpointer_.rewrite_state(state_);
    }
    // The others have not seen the report.
    ended_early_ = first_says(task_.communicator, lost_patience(state_, options_.evaluation));
  }

  // The first process's, which are everyone's: running statistics are of each one's own images.
  const TensorMap& inference_weights() {
    static const TensorMap none;
    return task_.communicator.is_first() ? inference_.after(state_.step, pipeline_.program().save()) : none;
  }

  // Whether there was no better evaluation before.
  bool judge(const EvaluationReport& report, std::uint32_t epoch) {
    const double precision = report.numbers[0];
    if (state_.best && precision <= state_.best->average_precision) {
      ++state_.best->evaluations_since;
      return false;
    }
    state_.best = {.average_precision = precision,
                   .average_precision_50 = report.numbers[1],
                   .step = state_.step,
                   .epoch = epoch,
                   .evaluations_since = 0};
    return true;
  }

  [[noreturn]] void fail_at(const FinishedStep& step) {
    std::string files;
    for (const std::uint32_t sample : step.bad_samples)
      files += (files.empty() ? "" : ", ") +
               std::filesystem::path(task_.dataset.samples[sample].file).filename().string();
    const std::vector<std::string> of_all = task_.communicator.gather(files);
    for (std::size_t rank = 1; rank < of_all.size(); ++rank) files += ", " + of_all[rank];
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
  AgreedStop stop_;
  BadImageReports bad_images_;
  RunState state_;    // after the last finished step
  RunRecord record_;  // before the program: compiling it may take minutes
  InferenceWeights inference_;
  Checkpointer checkpointer_;
  Evaluator evaluator_;
  Loader loader_;
  StepPipeline pipeline_;
  SpeedMeter speed_;
  bool ended_early_ = false;  // patience is lost
};

}  // namespace

bool lost_patience(const RunState& state, const EvaluationOptions& options) {
  return options.patience > 0 && state.best && state.best->evaluations_since >= options.patience;
}

TrainingResult train(const TrainingTask& task, TrainingStart start, const TrainerOptions& options) {
  return Training(task, std::move(start), options).run();
}

}  // namespace ssd
