#include "cli/train_mode.h"

#include <chrono>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "cli/eval.h"
#include "cli/output.h"
#include "cli/pretrained.h"
#include "detect/evaluation.h"
#include "detect/trained_model.h"
#include "model/state.h"

namespace ssd::cli {
namespace {

using Clock = std::chrono::steady_clock;

std::int64_t evaluation_batch(const TrainOptions& options) {
  const TrainerOptions& trainer = options.trainer;
  return trainer.evaluation.batch > 0 ? trainer.evaluation.batch : trainer.step.batch;
}

TrainedModel model_to_measure(const TrainOptions& options, const Dataset& dataset) {
  if (!options.fresh.checkpoint.empty())
    return trained_model(options.fresh.checkpoint.string(), options.pretrained.weights_url);
  TrainedModel fresh;
  fresh.model.backbone = model::backbone_named(options.backbone);
  fresh.model.stride_in = model::stride_in_named(options.stride_in);
  fresh.model.classes = static_cast<std::int64_t>(dataset.categories.size()) + 1;
  fresh.weights = model::initial_weights(fresh.model, options.fresh.seed);
  return fresh;
}

// So many samples, over and over where there are fewer.
void repeat(std::vector<Sample>& samples, std::size_t count) {
  const std::size_t own = samples.size();
  if (own == 0) throw Error("--mode benchmark-inference: got no validation image, expected some to look at");
  samples.resize(std::min(own, count));
  while (samples.size() < count) samples.push_back(samples[samples.size() % own]);
}

}  // namespace

void run_evaluation_mode(const TrainOptions& options) {
  if (options.fresh.checkpoint.empty())
    throw UsageError("--mode evaluation: expected --checkpoint with the weights to evaluate");
  EvalOptions eval{.data = options.data,
                   .device = options.device,
                   .checkpoint = options.fresh.checkpoint.string(),
                   .weights_url = options.pretrained.weights_url,
                   .json = options.json_summary,
                   .batch = evaluation_batch(options),
                   .workers = options.workers};
  run_eval(eval);
}

void run_inference_mode(const TrainOptions& options) {
  require_writable(options.json_summary);
  ValidationSet set = validation_set(options.data);
  TrainedModel trained = model_to_measure(options, set.dataset);
  trained.model.compute = precision_of(options.device);
  const std::int64_t batch = evaluation_batch(options);
  const auto warmup = static_cast<std::uint64_t>(options.benchmark.warmup * batch);
  repeat(set.dataset.samples, warmup + static_cast<std::size_t>(options.benchmark.iterations * batch));
  const auto device = make_device(options.device);
  Predictor predictor(*device, trained.model, {.batch = batch});
  predictor.load(trained.weights);
  Progress progress("benchmark");
  Clock::time_point begin = Clock::now();
  std::uint64_t before = 0, seen = 0;
  detect_set(predictor, set.dataset,
             {.threads = image_threads(options.device, options.workers),
              .progress = [&](std::uint64_t done, std::uint64_t of) {
                if (done <= warmup) begin = Clock::now(), before = done;
                seen = done;
                progress.show(done, of, "images");
              }});
  const double rate =
      static_cast<double>(seen - before) / std::chrono::duration<double>(Clock::now() - begin).count();
  progress.finish();
  tell("{:.2f} images/s from files to detections, batch {} on {}\n", rate, batch, device->description());
  if (!options.json_summary.empty())
    write_json_line(options.json_summary, {{"images", seen - before}, {"images_per_s", rate}});
}

void shorten_to_benchmark(TrainOptions& options) {
  options.optimisation.iterations = options.benchmark.warmup + options.benchmark.iterations;
  options.evaluation = {-1};
  options.trainer.checkpoints.run.clear();
}

}  // namespace ssd::cli
