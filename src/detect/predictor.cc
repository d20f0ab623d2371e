#include "detect/predictor.h"

#include "model/ssd300.h"
#include "model/state.h"

namespace ssd {

Predictor::Predictor(graph::Device& device, const model::ModelOptions& model, const Options& options)
    : model_(model), detector_(options.detector), batch_(options.batch * device.replicas()) {
  graph::Graph graph = model::inference_graph(model, options.batch);
  graph.replicas = device.replicas();
  std::vector<graph::Graph> graphs;
  graphs.push_back(std::move(graph));
  program_ = device.compile(std::move(graphs));
}

void Predictor::load(const TensorMap& weights) {
  program_->load(model::inference_parameters(model_, weights));
}

void Predictor::start(const Tensor& images) { program_->start(0, {images}); }

std::vector<std::vector<Detection>> Predictor::detections(const std::vector<Tensor>& outputs, int first,
                                                          int count, ThreadPool* pool) const {
  const TensorView loc = outputs[0], conf = outputs[1];
  return detect({loc.slices(first, count), conf.slices(first, count)}, detector_, pool);
}

}  // namespace ssd
