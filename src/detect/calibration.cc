#include "detect/calibration.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/random.h"
#include "base/thread_pool.h"
#include "boxes/ssd300.h"
#include "detect/histogram.h"
#include "model/ssd300.h"
#include "model/state.h"

namespace ssd {
namespace {

constexpr std::int64_t batch = 2;  // all activations of a batch are in memory at once
constexpr int unsigned_levels = 255, signed_levels = 127;

// An activation that is measured: an output of the graph.
struct Measured {
  std::string name;
  int levels = unsigned_levels;
  MagnitudeHistogram histogram = {};
};

// The f32 network with its activations as outputs, in the order of `measured`.
graph::Graph measuring_graph(const model::ModelOptions& model, std::vector<Measured>& measured) {
  graph::Graph graph = model::inference_graph(model, batch);
  const std::vector<std::string> rounded = model::rounded_activations(model);
  for (int id = 0; id < static_cast<int>(graph.nodes().size()); ++id) {
    const graph::Node& node = graph.nodes()[id];
    if (node.kind != graph::Kind::fused_convolution || !std::ranges::count(rounded, node.name)) continue;
    graph.output(node.name, {id, 0}, true);
    measured.push_back(
        {node.name, node.as<graph::ConvolutionAttributes>().relu ? unsigned_levels : signed_levels});
  }
  return graph;
}

// A share of the samples, in their order.
Dataset drawn(const Dataset& dataset, std::int64_t images) {
  Dataset result = dataset;
  const std::size_t count = std::min(dataset.samples.size(), static_cast<std::size_t>(images));
  std::vector<std::size_t> order(dataset.samples.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  Random random(0, 0, 0);
  for (std::size_t i = 0; i < count; ++i) std::swap(order[i], order[i + random.below(order.size() - i)]);
  std::sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count));
  result.samples.clear();
  for (std::size_t i = 0; i < count; ++i) result.samples.push_back(dataset.samples[order[i]]);
  return result;
}

// A byte's least and greatest value are known beforehand.
double scale_of_images() {
  double most = 0;
  for (std::size_t c = 0; c < 3; ++c)
    for (const double level : {0.0, 1.0})
      most = std::max(most, std::abs(level - pixel_mean[c]) / pixel_deviation[c]);
  return most / signed_levels;
}

}  // namespace

Quantization calibrate(graph::Device& device, const TrainedModel& trained, const Dataset& dataset,
                       const CalibrationOptions& options) {
  model::ModelOptions model = trained.model;
  model.activation_scales.clear();
  std::vector<Measured> measured;
  std::vector<graph::Graph> graphs;
  graphs.push_back(measuring_graph(model, measured));
  const std::size_t skipped = graphs[0].outputs().size() - measured.size();  // loc and conf
  const std::unique_ptr<graph::Program> program = device.compile(std::move(graphs));
  program->load(model::inference_parameters(model, trained.weights));

  const Dataset images = drawn(dataset, options.images);
  Loader loader(images, {.mode = LoaderOptions::Mode::evaluate,
                         .batch_size = static_cast<int>(batch),
                         .threads = options.threads,
                         .bad_images = options.bad_images,
                         .on_bad_image = options.on_bad_image});
  ThreadPool pool(options.threads);
  std::uint64_t seen = 0;
  while (const Loader::BatchPointer one = loader.next()) {
    const std::vector<Tensor> outputs = program->run({one->images});
    for (std::size_t slot = 0; slot < one->sample_indices.size(); ++slot) {
      if (one->sample_indices[slot] == Batch::no_sample) continue;
      pool.parallel_for(measured.size(), [&](std::size_t i) {
        const std::span<const float> values = outputs[skipped + i].as<float>();
        const std::size_t size = values.size() / batch;
        measured[i].histogram.add(values.subspan(slot * size, size));
      });
    }
    seen += static_cast<std::uint64_t>(one->valid);
    if (options.progress) options.progress(seen, images.samples.size());
  }
  const std::size_t read = images.samples.size() - loader.bad_images();
  if (read == 0)
    throw Error("{}: none of the {} images could be read; is the image folder right?",
                images.samples.front().file, images.samples.size());
  Quantization result{.activation_scales = {{"normalize", scale_of_images()}},
                      .images = static_cast<std::int64_t>(read)};
  for (const Measured& one : measured)
    result.activation_scales[one.name] = one.histogram.best_scale(one.levels);
  return result;
}

}  // namespace ssd
