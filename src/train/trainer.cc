#include "train/trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <deque>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "files/checkpoint.h"
#include "files/event_file.h"
#include "model/ssd300.h"
#include "train/batch_norm_statistics.h"
#include "train/parameters.h"
#include "train/run_log.h"

namespace ssd {
namespace {

using Clock = std::chrono::steady_clock;

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
        model_(state_.model) {
    model_.compute = options.compute;
    state_.images_per_step = options.batch * options.accumulation * device.replicas();
    state_.samples = dataset.samples.size();
    schedule_ = options.schedule;
    schedule_.steps_per_epoch =
        static_cast<double>(dataset.samples.size()) / static_cast<double>(state_.images_per_step);
    make_loader();
    make_program(start.tensors);
    if (options.save.empty()) return;
    log_.emplace(options.save, state_.step);
    events_.emplace(options.save);
  }

  TrainingResult run() {
    started_ = speed_since_ = Clock::now();
    next_step_ = last_checkpoint_step_ = state_.step;
    while (true) {
      while (may_start()) start_micro_batch();
      if (!in_flight_.empty())
        finish_micro_batch();
      else if (must_drain_)
        at_rest();
      else
        break;  // all steps are done, or it was asked to stop
    }
    if (state_.step > last_checkpoint_step_) write_checkpoint();
    return {state_.step, state_.step < options_.iterations, checkpoint_, loader_->bad_images()};
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
    loader.on_bad_image = [this](const BadImage& image) {
      write_log(
          {{"event", "bad_image"}, {"step", next_step_}, {"file", image.file}, {"reason", image.reason}});
      observer_.on_bad_image(image);
    };
    loader_ = std::make_unique<Loader>(dataset_, loader);
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

  // A step that was begun is ended, whatever happens.
  bool may_start() const {
    return !must_drain_ && next_step_ < options_.iterations && (!stop_ || next_micro_ != 0) &&
           static_cast<int>(in_flight_.size()) < program_->depth();
  }

  void start_micro_batch() {
    MicroBatch micro{loader_->next(), scalar(schedule_.rate_at(next_step_)),
                     scalar(1.0 / options_.accumulation), next_step_, next_micro_};
    const Batch& batch = *micro.batch;
    program_->start(graph_of(next_micro_), {batch.images, batch.match, batch.boxes, batch.labels,
                                            micro.learning_rate, micro.loss_scale});
    if (++next_micro_ == options_.accumulation) {
      next_micro_ = 0;
      ++next_step_;
      must_drain_ = rests_after(next_step_, batch);
    }
    in_flight_.push_back(std::move(micro));
  }

  bool epoch_ends(const Batch& batch) const { return batch.next.epoch > batch.begin.epoch; }

  bool evaluates_after(std::uint32_t epoch) const {
    return validation_ && std::find(options_.evaluation_epochs.begin(), options_.evaluation_epochs.end(),
                                    static_cast<int>(epoch)) != options_.evaluation_epochs.end();
  }

  // Whether the parameters are wanted on the host after `step` steps, the last of which ended with `batch`.
  bool rests_after(std::int64_t step, const Batch& batch) {
    evaluate_epoch_.reset();
    if (epoch_ends(batch) && evaluates_after(batch.begin.epoch)) evaluate_epoch_ = batch.begin.epoch;
    constexpr std::int64_t least_apart = 100;
    write_now_ = options_.checkpoint_interval > 0
                     ? step % options_.checkpoint_interval == 0
                     : epoch_ends(batch) && step - last_checkpoint_step_ >= least_apart;
    return write_now_ || evaluate_epoch_;
  }

  // All steps are done and none is in flight.
  void at_rest() {
    must_drain_ = false;
    if (write_now_) write_checkpoint();
    if (evaluate_epoch_ && !stop_) evaluate(*evaluate_epoch_);
    write_now_ = false;
    evaluate_epoch_.reset();
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
    write_log({{"event", "step"},
               {"step", report_.step},
               {"epoch", report_.epoch},
               {"loss", report_.loss},
               {"loc_loss", report_.loc_loss},
               {"conf_loss", report_.conf_loss},
               {"positives", report_.positives},
               {"learning_rate", report_.learning_rate}});
    chart(report_.step, {{"train/loss", report_.loss},
                         {"train/loc_loss", report_.loc_loss},
                         {"train/conf_loss", report_.conf_loss},
                         {"train/learning_rate", report_.learning_rate}});
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
    write_log({{"event", "not_finite"}, {"step", micro.step + 1}, {"files", files}});
    const auto good = options_.save.empty() ? std::nullopt : latest_checkpoint(options_.save);
    throw Error(
        "training: the loss of step {} is {}; its pictures: {}; last good checkpoint: {}; try a lower "
        "--learning-rate or a longer --warmup",
        micro.step + 1, loss, files, good ? good->path.string() : "none");
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
    write_log({{"event", "speed"},
               {"step", speed.step},
               {"images_per_s", speed.images_per_s},
               {"data_wait", speed.data_wait},
               {"seconds", speed.seconds}});
    chart(speed.step, {{"speed/images_per_s", speed.images_per_s}, {"speed/data_wait", speed.data_wait}});
    observer_.on_speed(speed);
  }

  void write_checkpoint() {
    last_checkpoint_step_ = state_.step;
    if (options_.save.empty()) return;
    model::State tensors = model::state_of(model_, program_->save());
    if (state_.step == options_.iterations && options_.batch_norm_images > 0)
      reestimate_batch_norm(tensors.weights, device_, model_, dataset_,
                            {.images = options_.batch_norm_images,
                             .batch = options_.batch,
                             .threads = options_.threads,
                             .seed = state_.seed});
    Checkpoint checkpoint{std::move(tensors.weights), std::move(tensors.momentum), to_json(state_)};
    checkpoint_ = ssd::write_checkpoint(options_.save, state_.step, checkpoint);
    if (options_.keep_checkpoints > 0)
      prune_checkpoints(options_.save, static_cast<std::size_t>(options_.keep_checkpoints));
    write_log({{"event", "checkpoint"}, {"step", state_.step}, {"folder", checkpoint_->filename().string()}});
    observer_.on_checkpoint(state_.step, *checkpoint_);
  }

  void evaluate(std::uint32_t epoch) {
    if (!predictor_) predictor_.emplace(device_, model_, Predictor::Options{.batch = options_.batch});
    predictor_->load(model::state_of(model_, program_->save()).weights);
    const auto boxes = detect_set(*predictor_, validation_->dataset, {.threads = options_.threads});
    const EvaluationReport report = evaluate_detections(validation_->ground_truth, boxes);
    write_log({{"event", "evaluation"},
               {"step", state_.step},
               {"epoch", epoch},
               {"report", nlohmann::ordered_json::parse(to_json(report))}});
    chart(state_.step, {{"eval/AP", report.numbers[0]}, {"eval/AP50", report.numbers[1]}});
    observer_.on_evaluation(state_.step, epoch, report);
    speed_since_ = Clock::now();  // an evaluation is not training time
    speed_step_ = state_.step;
  }

  void write_log(const nlohmann::ordered_json& object) {
    if (log_) log_->write(object.dump());
  }

  // TensorBoard's curves.
  void chart(std::int64_t step, std::initializer_list<std::pair<const char*, double>> values) {
    if (!events_) return;
    std::vector<Scalar> scalars;
    for (const auto& [tag, value] : values) scalars.push_back({tag, static_cast<float>(value)});
    events_->add(step, scalars);
  }

  graph::Device& device_;
  const Dataset& dataset_;
  const ValidationSet* validation_;
  const TrainerOptions& options_;
  TrainObserver& observer_;
  const std::atomic<bool>& stop_;
  RunState state_;  // after the last finished step
  model::ModelOptions model_;
  Schedule schedule_;
  std::optional<RunLog> log_;
  std::optional<EventFile> events_;
  std::unique_ptr<Loader> loader_;
  std::unique_ptr<graph::Program> program_;
  std::optional<Predictor> predictor_;

  std::deque<MicroBatch> in_flight_;
  std::int64_t next_step_ = 0;  // to be started, counted from 0
  int next_micro_ = 0;
  bool must_drain_ = false;  // nothing is started until the device is at rest
  bool write_now_ = false;
  std::optional<std::uint32_t> evaluate_epoch_;
  StepReport report_;  // of the step whose micro-batches are being finished
  std::int64_t last_checkpoint_step_ = 0;
  std::optional<std::filesystem::path> checkpoint_;
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
