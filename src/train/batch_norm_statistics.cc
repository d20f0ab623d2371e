#include "train/batch_norm_statistics.h"

#include "data/loader.h"
#include "model/ssd300.h"
#include "train/parameters.h"

namespace ssd {
namespace {

bool is_statistic(const std::string& name) {
  return name.ends_with("running_mean") || name.ends_with("running_var");
}

// Running sums of the batches' statistics, in double.
class Sums {
 public:
  void add(const TensorMap& parameters) {
    for (const auto& [name, tensor] : parameters) {
      if (!is_statistic(name)) continue;
      std::vector<double>& sum = sums_[name];
      sum.resize(static_cast<std::size_t>(tensor.elements()));
      for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += tensor.as<float>()[i];
    }
    ++batches_;
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
  graph::Graph graph = model::statistics_graph(model, options.batch);
  graph.replicas = device.replicas();
  std::vector<graph::Graph> graphs;
  graphs.push_back(std::move(graph));
  const auto program = device.compile(std::move(graphs));
  program->load(initial_parameters(model, weights));
  const std::int64_t batch = options.batch * device.replicas();
  Loader loader(dataset, {.mode = LoaderOptions::Mode::train,
                          .batch_size = static_cast<int>(batch),
                          .threads = options.threads,
                          .seed = options.seed,
                          .augment = {.crop = false, .flip = false, .colour = false}});
  Sums sums;
  for (std::int64_t done = 0; done < options.images; done += batch) {
    const Loader::BatchPointer images = loader.next();
    program->run({images->images});
    sums.add(program->save());
  }
  sums.write_means(weights);
}

}  // namespace ssd
