// SSD300 v1.1: ResNet features, five additional blocks, two heads a level, as graphs (Liu et al., "SSD:
// Single Shot MultiBox Detector", 2016).
#pragma once

#include <string>
#include <vector>

#include "graph/graph.h"
#include "model/layers.h"
#include "model/options.h"

namespace ssd::model {

// The network's results as nodes of a graph.
struct Network {
  graph::Value loc;   // f32 (N,D,4): offsets
  graph::Value conf;  // f32 (N,D,K): logits
};

// Appends the whole network; images u8 (N,300,300,3).
Network append_network(LayerBuilder& layers, graph::Value images, const ModelOptions& model);

// Inference. Input: images u8 (N,300,300,3). Outputs: loc f32 (N,D,4), conf f32 (N,D,K): offsets and logits.
// Parameters: the folded weights (state.h).
graph::Graph inference_graph(const ModelOptions& model, std::int64_t batch);

// The nodes whose results a quantised network rounds: "normalize", and every convolution but the heads, whose
// results stay f32.
std::vector<std::string> rounded_activations(const ModelOptions& model);

// The batch-norm statistics of one batch: after a step the running statistics are those of the batch (the
// variance unbiased). Input: images u8 (N,300,300,3). No outputs. Parameters: the weights and running
// statistics of all layers but the heads.
graph::Graph statistics_graph(const ModelOptions& model, std::int64_t batch);

// Every convolution of the network, in order.
std::vector<ConvolutionLayer> convolution_layers(const ModelOptions& model);

}  // namespace ssd::model
