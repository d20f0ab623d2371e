#include "train/benchmark.h"

#include <algorithm>
#include <chrono>

#include "base/random.h"
#include "graph/cost.h"
#include "model/ssd300.h"
#include "model/state.h"
#include "train/formula_weights.h"
#include "train/parameters.h"

namespace ssd {
namespace {

constexpr std::int64_t boxes_per_image = 64;

// Inputs of a training graph (of all replicas), or of an inference graph: noise for images, three positives
// in a thousand default boxes.
struct SyntheticBatch {
  Tensor images, match, boxes, labels, rate, scale;

  SyntheticBatch(std::int64_t n, std::int64_t classes)
      : images(DType::u8, {n, model::image_size, model::image_size, 3}),
        match(DType::i32, {n, model::default_boxes}),
        boxes(DType::f32, {n, boxes_per_image, 4}),
        labels(DType::i32, {n, boxes_per_image}),
        rate(DType::f32, {}),
        scale(DType::f32, {}) {
    Random random(1, 0, 0);
    for (std::uint8_t& pixel : images.as<std::uint8_t>()) pixel = static_cast<std::uint8_t>(random.next());
    for (std::int32_t& index : match.as<std::int32_t>())
      index = random.coin(0.003) ? static_cast<std::int32_t>(random.below(boxes_per_image)) : -1;
    for (float& value : boxes.as<float>()) value = static_cast<float>(random.uniform(0.2, 0.8));
    for (std::int32_t& label : labels.as<std::int32_t>())
      label = static_cast<std::int32_t>(1 + random.below(static_cast<std::uint64_t>(classes - 1)));
    rate.as<float>()[0] = 1e-4f;
    scale.as<float>()[0] = 1;
  }

  std::vector<TensorView> inputs(BenchmarkMode mode) const {
    if (mode == BenchmarkMode::infer) return {images};
    return {images, match, boxes, labels, rate, scale};
  }
};

graph::Graph graph_of(const BenchmarkOptions& options, int replicas) {
  if (options.mode == BenchmarkMode::train)
    return model::training_graph(options.model, {.batch = options.batch,
                                                 .max_boxes = boxes_per_image,
                                                 .replicas = replicas,
                                                 .batch_norm_group = options.batch_norm_group});
  graph::Graph graph = model::inference_graph(options.model, options.batch);
  graph.replicas = replicas;
  return graph;
}

}  // namespace

double BenchmarkResult::average() const {
  double seconds = 0;  // an image, summed over iterations of equal size
  for (const double rate : images_per_s) seconds += 1 / rate;
  return static_cast<double>(images_per_s.size()) / seconds;
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
  using Clock = std::chrono::steady_clock;
  const graph::Graph graph = graph_of(options, device.replicas());
  const std::int64_t images = options.batch * device.replicas();
  // Before the program, which may be reading from it when a step throws.
  const SyntheticBatch batch(images, options.model.classes);
  const std::vector<TensorView> inputs = batch.inputs(options.mode);
  const auto program = device.compile({graph});
  const TensorMap weights = formula_weights(options.model);
  program->load(options.mode == BenchmarkMode::train ? initial_parameters(options.model, weights)
                                                     : model::inference_parameters(options.model, weights));

  BenchmarkResult result;
  result.flops_per_image = graph::cost(graph).flops / static_cast<double>(options.batch);
  const int total = options.warmup + options.iterations;
  int started = 0;
  Clock::time_point last = Clock::now();
  for (int done = 0; done < total; ++done) {
    while (started < total && started - done < program->depth()) {
      program->start(0, inputs);
      ++started;
    }
    if (options.mode == BenchmarkMode::train)
      program->finish();
    else
      program->discard();
    const Clock::time_point now = Clock::now();
    const double seconds = std::chrono::duration<double>(now - last).count();
    last = now;
    if (done >= options.warmup) result.images_per_s.push_back(static_cast<double>(images) / seconds);
    if (progress) progress(done + 1, total);
  }
  return result;
}

}  // namespace ssd
