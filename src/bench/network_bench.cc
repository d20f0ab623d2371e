#include "bench/network_bench.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <utility>

#include "base/random.h"
#include "boxes/ssd300.h"
#include "graph/cost.h"
#include "model/formula_weights.h"
#include "model/ssd300.h"
#include "model/state.h"
#include "model/training_program.h"

namespace ssd {
namespace {

constexpr std::int64_t boxes_per_image = 64;

// Inputs of a training graph (of all replicas), or of an inference graph: noise for images, three positives
// in a thousand default boxes.
struct SyntheticBatch {
  Tensor images, match, boxes, labels, rate, scale, step;

  SyntheticBatch(std::int64_t n, std::int64_t classes)
      : images(DType::u8, {n, image_size, image_size, 3}),
        match(DType::i32, {n, default_box_count}),
        boxes(DType::f32, {n, boxes_per_image, 4}),
        labels(DType::i32, {n, boxes_per_image}),
        rate(DType::f32, {}),
        scale(DType::f32, {}),
        step(DType::f32, {}) {
    Random random(1, 0, 0);
    for (std::uint8_t& pixel : images.as<std::uint8_t>()) pixel = static_cast<std::uint8_t>(random.next());
    for (std::int32_t& index : match.as<std::int32_t>())
      index = random.coin(0.003) ? static_cast<std::int32_t>(random.below(boxes_per_image)) : -1;
    for (float& value : boxes.as<float>()) value = static_cast<float>(random.uniform(0.2, 0.8));
    for (std::int32_t& label : labels.as<std::int32_t>())
      label = static_cast<std::int32_t>(1 + random.below(static_cast<std::uint64_t>(classes - 1)));
    rate.as<float>()[0] = 1e-4f;
    scale.as<float>()[0] = 1;
    step.as<float>()[0] = 1;
  }

  model::TrainingInputs training() const { return {images, match, boxes, labels, rate, scale, step}; }
};

// Steps of one kind on a device. A step reads the batch, which outlives it.
class Steps {
 public:
  virtual ~Steps() = default;
  virtual void start() = 0;
  virtual void finish() = 0;
  virtual graph::Program& program() = 0;
};

class TrainingSteps : public Steps {
 public:
  TrainingSteps(graph::Device& device, const BenchmarkOptions& options, const SyntheticBatch& batch)
      : batch_(batch), program_(device, options.model, training_options(options, device.replicas_in_all())) {
    program_.load({.weights = model::formula_weights(options.model), .slots = {}, .averages = {}});
  }
  static model::TrainingOptions training_options(const BenchmarkOptions& options, int replicas) {
    return {.batch = options.batch,
            .max_boxes = boxes_per_image,
            .replicas = replicas,
            .batch_norm_group = options.batch_norm_group};
  }
  void start() override { program_.start(0, 1, batch_.training()); }
  void finish() override { program_.finish(); }
  graph::Program& program() override { return program_.program(); }

 private:
  const SyntheticBatch& batch_;
  model::TrainingProgram program_;
};

class InferenceSteps : public Steps {
 public:
  InferenceSteps(graph::Device& device, const BenchmarkOptions& options, const SyntheticBatch& batch)
      : batch_(batch) {
    graph::Graph graph = model::inference_graph(options.model, options.batch);
    graph.replicas = device.replicas();
    program_ = device.compile({std::move(graph)});
    const TensorMap made_up = options.weights ? TensorMap() : model::formula_weights(options.model);
    program_->load(model::inference_parameters(options.model, options.weights ? *options.weights : made_up));
  }
  void start() override { program_->start(0, {batch_.images}); }
  void finish() override { program_->discard(); }
  graph::Program& program() override { return *program_; }

 private:
  const SyntheticBatch& batch_;
  std::unique_ptr<graph::Program> program_;
};

std::unique_ptr<Steps> make_steps(graph::Device& device, const BenchmarkOptions& options,
                                  const SyntheticBatch& batch) {
  if (options.mode == BenchmarkMode::train) return std::make_unique<TrainingSteps>(device, options, batch);
  return std::make_unique<InferenceSteps>(device, options, batch);
}

double flops_per_image(const BenchmarkOptions& options, int replicas) {
  const graph::Graph graph =
      options.mode == BenchmarkMode::train
          ? model::training_graph(options.model, TrainingSteps::training_options(options, replicas))
          : model::inference_graph(options.model, options.batch);
  return graph::cost(graph).flops / static_cast<double>(options.batch);
}

// What the nodes took since the profile `before` of the same program.
std::vector<graph::NodeTime> profile_since(const std::vector<graph::NodeTime>& before,
                                           const graph::Program& program) {
  std::vector<graph::NodeTime> nodes = program.profile();
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    nodes[i].steps -= before[i].steps;
    nodes[i].seconds -= before[i].seconds;
  }
  return nodes;
}

}  // namespace

double BenchmarkResult::average() const {
  double an_image = 0;  // seconds, summed over iterations of equal size
  for (const double rate : images_per_s) an_image += 1 / rate;
  return static_cast<double>(images_per_s.size()) / an_image;
}
double BenchmarkResult::minimum() const {
  return *std::min_element(images_per_s.begin(), images_per_s.end());
}
double BenchmarkResult::maximum() const {
  return *std::max_element(images_per_s.begin(), images_per_s.end());
}
double BenchmarkResult::median() const {
  std::vector<double> sorted = images_per_s;
  std::sort(sorted.begin(), sorted.end());
  const std::size_t half = sorted.size() / 2;
  return sorted.size() % 2 == 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

BenchmarkResult benchmark(graph::Device& device, const BenchmarkOptions& options,
                          const std::function<void(int, int)>& progress) {
  using Clock = Span::Clock;
  const std::int64_t own_images = options.batch * device.replicas();
  const bool together = options.mode == BenchmarkMode::train;  // all processes step as one
  const int replicas = together ? device.replicas_in_all() : device.replicas();
  const std::int64_t images = options.batch * replicas;
  // Before the steps, which may be reading from it when one of them throws.
  const SyntheticBatch batch(own_images, options.model.classes);
  const std::unique_ptr<Steps> steps = make_steps(device, options, batch);
  graph::Program& program = steps->program();

  BenchmarkResult result;
  result.flops_per_image = flops_per_image(options, replicas);
  std::vector<graph::NodeTime> warmup;
  const int total = options.warmup + options.iterations;
  int started = 0;
  Clock::time_point last = Clock::now();
  for (int done = 0; done < total; ++done) {
    const int counted = done - options.warmup;
    if (counted == 0) {
      warmup = program.profile();
      if (options.trace != nullptr) program.record(options.trace);
      last = Clock::now();
    }
    if (counted == traced_iterations) program.record(nullptr);
    for (; started < total && started - done < program.depth(); ++started) steps->start();
    steps->finish();
    const Clock::time_point now = Clock::now();
    const double seconds = std::chrono::duration<double>(now - last).count();
    if (counted >= 0) {
      result.seconds += seconds;
      result.images_per_s.push_back(static_cast<double>(images) / seconds);
      if (options.trace != nullptr && counted < traced_iterations)
        options.trace->add(
            {fmt::format("iteration {}", counted + 1), "iteration", "iterations", last, now, {}});
    }
    last = now;
    if (progress) progress(done + 1, total);
  }
  result.nodes = profile_since(warmup, program);
  return result;
}

}  // namespace ssd
