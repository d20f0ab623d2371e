#include "train/trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <deque>

#include "base/error.h"
#include "base/thread_pool.h"
#include "files/checkpoint.h"
#include "model/ssd300.h"
#include "train/batch_norm_statistics.h"
#include "train/parameters.h"
#include "train/run_record.h"

namespace ssd {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::string_view reestimated_statistics = "re-estimated batch-norm statistics";

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

Tensor scalar(double value) {
  Tensor tensor(DType::f32, {});
  tensor.as<float>()[0] = static_cast<float>(value);
  return tensor;
}

// A micro-batch on its way through the device, with everything its inputs point to.
struct MicroBatch {
  Loader::BatchPointer batch;
  Tensor learning_rate;
  Tensor loss_scale;
  std::int64_t step = 0;  // counted from 0
  int index = 0;          // within the step
};

// From the epoch of a step's first sample to that of the sample after its last.
struct EpochSpan {
  std::uint32_t first = 0, next = 0;
};

bool is_finite(const TensorMap& tensors) {
  for (const auto& [name, tensor] : tensors)
    for (const float value : tensor.as<float>())
      if (!std::isfinite(value)) return false;
  return true;
}

class Training {
 public:
  Training(graph::Device& device, const Dataset& dataset, const ValidationSet* validation,
           TrainingStart start, const TrainerOptions& options, TrainObserver& observer,
           const std::atomic<bool>& stop)
      : device_(device),
        dataset_(dataset),
        validation_(validation),
        options_(options),
        observer_(observer),
        stop_(stop),
        state_(std::move(start.state)),
        model_(state_.model),
        record_(options.save, state_.step) {  // before the program: compiling it may take minutes
    model_.compute = options.compute;
    state_.images_per_step = options.batch * options.accumulation * device.replicas();
    state_.samples = dataset.samples.size();
    state_.data = identity_of(dataset);
    state_.options = options.recorded;
    schedule_ = options.schedule;
    schedule_.steps_per_epoch =
        static_cast<double>(dataset.samples.size()) / static_cast<double>(state_.images_per_step);
    make_loader();
    make_program(start.tensors);
  }

  TrainingResult run() {
    started_ = speed_since_ = last_checkpoint_time_ = Clock::now();
    next_step_ = last_checkpoint_step_ = speed_step_ = state_.step;
    catch_up_on_evaluation();
    while (true) {
      while (may_start()) start_micro_batch();
      if (!in_flight_.empty())
        finish_micro_batch();
      else if (must_drain_)
        at_rest();
      else
        break;  // all steps are done, or it was asked to stop
    }
    // A stop within an evaluation leaves the checkpoint before it, which was not meant to be the last.
    if (state_.step > last_checkpoint_step_ || (stop_ && !last_is_for_inference_)) write_checkpoint();
    return {.step = state_.step,
            .stopped = state_.step < options_.iterations || evaluation_cut_off_,
            .bad_images = loader_->bad_images()};
  }

 private:
  void make_loader() {
    LoaderOptions loader{.mode = LoaderOptions::Mode::train,
                         .batch_size = static_cast<int>(options_.batch * device_.replicas()),
                         .threads = options_.threads,
                         .buffers = 8,
                         .seed = state_.seed,
                         .begin = {state_.epoch, state_.sample},
                         .order = options_.order,
                         .augment = options_.augment,
                         .bad_images = options_.bad_images};
    loader.on_bad_image = [this](const BadImage& image) { report_bad_image(image); };
    loader_ = std::make_unique<Loader>(dataset_, loader);
  }

  void report_bad_image(const BadImage& image) {
    record_.bad_image(next_step_, image);
    observer_.on_bad_image(image);
  }

  void make_program(const model::State& tensors) {
    model::TrainingOptions training{.batch = options_.batch,
                                    .max_boxes = loader_->max_boxes(),
                                    .momentum = options_.momentum,
                                    .weight_decay = options_.weight_decay,
                                    .replicas = device_.replicas(),
                                    .batch_norm_group = options_.batch_norm_group};
    std::vector<model::Accumulation> parts{model::Accumulation::none};
    if (options_.accumulation > 1)
      parts = {model::Accumulation::first, model::Accumulation::middle, model::Accumulation::last};
    std::vector<graph::Graph> graphs;
    for (const model::Accumulation part : parts) {
      training.accumulation = part;
      graphs.push_back(model::training_graph(model_, training));
    }
    TensorMap parameters = program_parameters(model_, tensors);
    for (const graph::Graph& graph : graphs)
      for (const int id : graph.parameters()) {
        const graph::Node& node = graph.nodes()[id];
        if (node.name.starts_with("gradient/"))
          parameters.try_emplace(node.name, Tensor(DType::f32, node.outputs[0].shape));
      }
    program_ = device_.compile(std::move(graphs));
    program_->load(parameters);
  }

  // Which of the compiled graphs a micro-batch runs.
  int graph_of(int micro) const {
    if (options_.accumulation == 1 || micro == 0) return 0;
    return micro + 1 == options_.accumulation ? 2 : 1;
  }

  // A step that was begun is ended, whatever happens. While images are being waited for, steps in flight
  // are finished instead: what next() then waits with none in flight, the device waits too.
  bool may_start() const {
    return !must_drain_ && next_step_ < options_.iterations && (!stop_ || next_micro_ != 0) &&
           static_cast<int>(in_flight_.size()) < program_->depth() &&
           (in_flight_.empty() || loader_->ready());
  }

  void start_micro_batch() {
    MicroBatch micro{loader_->next(), scalar(schedule_.rate_at(next_step_)),
                     scalar(1.0 / options_.accumulation), next_step_, next_micro_};
    const Batch& batch = *micro.batch;
    if (next_micro_ == 0) first_epoch_ = batch.begin.epoch;
    program_->start(graph_of(next_micro_), {batch.images, batch.match, batch.boxes, batch.labels,
                                            micro.learning_rate, micro.loss_scale});
    if (++next_micro_ == options_.accumulation) {
      next_micro_ = 0;
      ++next_step_;
      must_drain_ = rests_after(next_step_, {first_epoch_, batch.next.epoch});
    }
    in_flight_.push_back(std::move(micro));
  }

  // The last of the epochs that a step ends, if any, that are to be evaluated.
  std::optional<std::uint32_t> epoch_to_evaluate(const EpochSpan& step) const {
    std::optional<std::uint32_t> result;
    if (!validation_) return result;
    for (const int chosen : options_.evaluation_epochs)
      if (chosen >= static_cast<std::int64_t>(step.first) && chosen < static_cast<std::int64_t>(step.next))
        result = std::max(result.value_or(0), static_cast<std::uint32_t>(chosen));
    return result;
  }

  // Whether the parameters are wanted on the host after `step` steps, the last of which spans `epochs`.
  bool rests_after(std::int64_t step, const EpochSpan& epochs) {
    evaluate_epoch_ = epoch_to_evaluate(epochs);
    if (evaluate_epoch_) return true;
    if (options_.checkpoint_interval > 0) return step % options_.checkpoint_interval == 0;
    constexpr std::int64_t least_apart = 100;
    const bool epoch_ends = epochs.next > epochs.first;
    return (epoch_ends && step - last_checkpoint_step_ >= least_apart) ||
           seconds_since(last_checkpoint_time_) >= options_.checkpoint_seconds;
  }

  // All steps are done and none is in flight. A checkpoint comes before an evaluation, which takes long.
  void at_rest() {
    must_drain_ = false;
    write_checkpoint();
    if (evaluate_epoch_) evaluate(*evaluate_epoch_);
    evaluate_epoch_.reset();
  }

  // An evaluation that a resumed run was stopped in, or before.
  void catch_up_on_evaluation() {
    if (state_.step == 0 || options_.save.empty() || record_.last_evaluation() >= state_.step) return;
    const std::uint64_t end = state_.epoch * state_.samples + state_.sample;
    const std::uint64_t begin = end - static_cast<std::uint64_t>(state_.images_per_step);
    const EpochSpan step{static_cast<std::uint32_t>(begin / state_.samples), state_.epoch};
    if (const auto epoch = epoch_to_evaluate(step)) evaluate(*epoch);
  }

  void finish_micro_batch() {
    const MicroBatch micro = std::move(in_flight_.front());
    in_flight_.pop_front();
    const std::vector<Tensor> outputs = program_->finish();
    add_losses(micro, outputs);
    if (micro.index + 1 < options_.accumulation) return;
    report_.step = ++state_.step;
    report_.epoch = micro.batch->begin.epoch;
    report_.learning_rate = micro.learning_rate.as<float>()[0];
    state_.epoch = micro.batch->next.epoch;
    state_.sample = micro.batch->next.sample;
    record_.step(report_);
    observer_.on_step(report_);
    report_ = {};
    if (state_.step % options_.speed_interval == 0 || state_.step == options_.iterations) report_speed();
  }

  void add_losses(const MicroBatch& micro, const std::vector<Tensor>& outputs) {
    const double loss = outputs[0].as<float>()[0];
    if (!std::isfinite(loss)) fail_at(micro, loss);
    const auto loc = outputs[1].as<float>(), conf = outputs[2].as<float>();
    const auto positives = outputs[3].as<std::int32_t>();
    const double share = 1.0 / options_.accumulation / static_cast<double>(positives.size());
    report_.loss += loss / options_.accumulation;
    for (std::size_t i = 0; i < positives.size(); ++i) {
      report_.positives += positives[i];
      if (positives[i] == 0) continue;
      report_.loc_loss += share * loc[i] / positives[i];
      report_.conf_loss += share * conf[i] / positives[i];
    }
  }

  [[noreturn]] void fail_at(const MicroBatch& micro, double loss) {
    std::string files;
    for (const std::uint32_t sample : micro.batch->sample_indices)
      files += (files.empty() ? "" : ", ") +
               std::filesystem::path(dataset_.samples[sample].file).filename().string();
    record_.not_finite(micro.step + 1, files);
    throw Error(
        "training: the loss of step {} is {}; its images: {}; last good checkpoint: {}; try a lower "
        "--learning-rate or a longer --warmup",
        micro.step + 1, loss, files, last_good_checkpoint());
  }

  void report_speed() {
    const double elapsed = seconds_since(speed_since_);
    const double wait = loader_->times().wait;
    const auto steps = static_cast<double>(state_.step - speed_step_);
    const SpeedReport speed{state_.step, steps * static_cast<double>(state_.images_per_step) / elapsed,
                            (wait - speed_wait_) / elapsed, seconds_since(started_)};
    speed_since_ = Clock::now();
    speed_wait_ = wait;
    speed_step_ = state_.step;
    record_.speed(speed, loader_->bad_images(), loader_->replaced());
    observer_.on_speed(speed);
  }

  bool reestimates() const { return options_.batch_norm_images > 0; }

  void reestimate(TensorMap& weights) {
    reestimate_batch_norm(weights, device_, model_, dataset_,
                          {.images = options_.batch_norm_images,
                           .batch = options_.batch,
                           .threads = options_.threads,
                           .seed = state_.seed});
  }

  // The run's last checkpoint has inference weights (re-estimated statistics); the running averages then lie
  // beside the momentum, so that a resumed run goes on with them.
  void write_checkpoint() {
    last_checkpoint_step_ = state_.step;
    last_checkpoint_time_ = Clock::now();
    if (options_.save.empty()) return;
    model::State tensors = model::state_of(model_, program_->save());
    if (!is_finite(tensors.weights)) fail_not_finite("weights");
    const bool last = stop_ || state_.step == options_.iterations;
    last_is_for_inference_ = last || !reestimates();
    // Re-estimating takes a while, and who asked for the stop may not wait.
    if ((stop_ && saved_step_ != state_.step) || !last || !reestimates()) save(tensors);
    if (!last || !reestimates()) return;
    const TensorMap& inference = inference_weights();
    if (!is_finite(inference)) {
      if (saved_step_ != state_.step) save(tensors);  // a resumed run can go on from the averages
      fail_not_finite(reestimated_statistics);
    }
    for (const auto& [name, tensor] : tensors.weights)
      if (model::is_statistic(name)) tensors.momentum.emplace(name, tensor.clone());
    tensors.weights = clone(inference);
    save(tensors);
  }

  // The weights with the statistics that evaluations and the last checkpoint have; made once a step.
  const TensorMap& inference_weights() {
    if (inference_weights_step_ == state_.step) return inference_weights_;
    inference_weights_ = model::state_of(model_, program_->save()).weights;
    if (reestimates()) reestimate(inference_weights_);
    inference_weights_step_ = state_.step;
    return inference_weights_;
  }

  void save(const model::State& tensors) {
    saved_step_ = state_.step;
    const std::filesystem::path folder = ssd::write_checkpoint(
        options_.save, state_.step, {clone(tensors.weights), clone(tensors.momentum), to_json(state_)});
    if (options_.keep_checkpoints > 0)
      prune_checkpoints(options_.save, static_cast<std::size_t>(options_.keep_checkpoints));
    record_.checkpoint(state_.step, folder);
    observer_.on_checkpoint(state_.step, folder);
  }

  [[noreturn]] void fail_not_finite(std::string_view what) {
    record_.not_finite(state_.step);
    throw Error(
        "training: {} are not finite after step {}; last good checkpoint: {}; try a lower --learning-rate "
        "or a longer --warmup",
        what, state_.step, last_good_checkpoint());
  }

  std::string last_good_checkpoint() const {
    const auto good = options_.save.empty() ? std::nullopt : latest_checkpoint(options_.save);
    return good ? good->path.string() : "none";
  }

  // With the statistics that the last checkpoint would have. Is given up when the run is to stop.
  void evaluate(std::uint32_t epoch) {
    evaluation_cut_off_ = stop_;
    if (stop_) return;
    if (!predictor_) predictor_.emplace(device_, model_, Predictor::Options{.batch = options_.batch});
    if (!is_finite(inference_weights())) fail_not_finite(reestimated_statistics);
    predictor_->load(inference_weights());
    ThreadPool pool(available_processors());
    std::size_t bad_images = 0;
    try {
      const auto boxes = detect_set(
          *predictor_, validation_->dataset,
          {.threads = options_.threads,
           .bad_images = options_.bad_images,
           .on_bad_image =
               [&](const BadImage& image) {
                 ++bad_images;
                 report_bad_image(image);
               },
           .progress = [this](std::uint64_t done, std::uint64_t of) { observer_.on_evaluating(done, of); },
           .stop = [this] { return stop_.load(); }});
      EvaluationReport report = evaluate_detections(validation_->ground_truth, boxes, &pool);
      report.bad_images = bad_images;
      record_.evaluation(state_.step, epoch, report);
      observer_.on_evaluation(state_.step, epoch, report);
    } catch (const Error&) {
      if (!stop_) throw;
      evaluation_cut_off_ = true;
    }
    speed_since_ = Clock::now();  // an evaluation is not training time
    speed_step_ = state_.step;
    speed_wait_ = loader_->times().wait;
  }

  graph::Device& device_;
  const Dataset& dataset_;
  const ValidationSet* validation_;
  const TrainerOptions& options_;
  TrainObserver& observer_;
  const std::atomic<bool>& stop_;
  RunState state_;  // after the last finished step
  model::ModelOptions model_;
  RunRecord record_;
  Schedule schedule_;
  std::unique_ptr<Loader> loader_;
  std::deque<MicroBatch> in_flight_;  // outlives the program, which may be reading from it
  std::unique_ptr<graph::Program> program_;
  std::optional<Predictor> predictor_;

  std::int64_t next_step_ = 0;  // to be started, counted from 0
  int next_micro_ = 0;
  std::uint32_t first_epoch_ = 0;  // of the step that is being started
  bool must_drain_ = false;        // nothing is started until the device is at rest
  std::optional<std::uint32_t> evaluate_epoch_;
  StepReport report_;  // of the step whose micro-batches are being finished
  std::int64_t last_checkpoint_step_ = 0, saved_step_ = -1;
  // Whether the last checkpoint has inference weights; one that was resumed is left alone.
  bool last_is_for_inference_ = true;
  bool evaluation_cut_off_ = false;
  TensorMap inference_weights_;  // of step inference_weights_step_
  std::int64_t inference_weights_step_ = -1;
  Clock::time_point last_checkpoint_time_;
  Clock::time_point started_, speed_since_;
  std::int64_t speed_step_ = 0;
  double speed_wait_ = 0;
};

}  // namespace

TrainingResult train(graph::Device& device, const Dataset& dataset, const ValidationSet* validation,
                     TrainingStart start, const TrainerOptions& options, TrainObserver& observer,
                     const std::atomic<bool>& stop) {
  return Training(device, dataset, validation, std::move(start), options, observer, stop).run();
}

}  // namespace ssd
