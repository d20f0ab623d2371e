#include "train/batch_norm_statistics.h"

#include <algorithm>

#include "data/loader/loader.h"
#include "model/parameters.h"
#include "model/ssd300.h"

namespace ssd {
namespace {

// Every replica's statistics after a step, joined: a program only gives back the first one's parameters.
void append_outputs(graph::Graph& graph) {
  for (const graph::Update& update : graph.updates()) {
    const std::string& name = graph.nodes()[update.parameter].name;
    if (model::is_statistic(name)) graph.output(name, update.value, true);
  }
}

// Running sums of the batches' statistics, in double.
class Sums {
 public:
  // `outputs` are append_outputs', each of `replicas` batches.
  void add(const graph::Graph& graph, const std::vector<Tensor>& outputs, int replicas) {
    for (std::size_t o = 0; o < outputs.size(); ++o) {
      const std::span<const float> values = outputs[o].as<float>();
      std::vector<double>& sum = sums_[graph.outputs()[o].name];
      sum.resize(values.size() / static_cast<std::size_t>(replicas));
      for (std::size_t i = 0; i < values.size(); ++i) sum[i % sum.size()] += values[i];
    }
    batches_ += replicas;
  }

  void write_means(TensorMap& weights) const {
    for (const auto& [name, sum] : sums_)
      for (std::size_t i = 0; i < sum.size(); ++i)
        weights.at(name).as<float>()[i] = static_cast<float>(sum[i] / batches_);
  }

 private:
  std::map<std::string, std::vector<double>> sums_;
  int batches_ = 0;
};

}  // namespace

void reestimate_batch_norm(TensorMap& weights, graph::Device& device, const model::ModelOptions& model,
                           const Dataset& dataset, const StatisticsOptions& options) {
  const std::int64_t images_of_replica = std::max<std::int64_t>(2, options.batch);
  graph::Graph graph = model::statistics_graph(model, images_of_replica);
  graph.replicas = device.replicas();
  append_outputs(graph);
  const auto program = device.compile({graph});
  program->load(model::initial_parameters(model, weights));
  const std::int64_t batch = images_of_replica * device.replicas();
  Loader loader(dataset, {.mode = LoaderOptions::Mode::train,
                          .batch_size = static_cast<int>(batch),
                          .threads = options.threads,
                          .seed = options.seed,
                          .augment = {.crop = false, .flip = false, .colour = false}});
  Sums sums;
  for (std::int64_t done = 0; done < options.images; done += batch) {
    const Loader::BatchPointer images = loader.next();
    sums.add(graph, program->run({images->images}), device.replicas());
  }
  sums.write_means(weights);
}

}  // namespace ssd
