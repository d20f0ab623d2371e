#include "model/ssd300.h"

#include <fmt/format.h>

#include <array>

#include "graph/gradient.h"
#include "model/resnet.h"

namespace ssd::model {
namespace {

using graph::Graph;
using graph::Kind;
using graph::Value;

constexpr int levels = 6;

// Channels of the six feature maps; the first is the backbone's.
std::array<std::int64_t, levels> map_channels(Backbone backbone) {
  switch (backbone) {
    case Backbone::resnet18:
      return {256, 512, 512, 256, 256, 128};
    case Backbone::resnet34:
      return {256, 512, 512, 256, 256, 256};
    case Backbone::resnet50:
    case Backbone::resnet101:
    case Backbone::resnet152:
      return {1024, 512, 512, 256, 256, 256};
  }
  return {};
}

struct Network {
  Value loc;   // f32 (N,D,4)
  Value conf;  // f32 (N,D,K)
};

// The additional blocks: 1x1 to fewer channels, then 3x3; the first three halve the map, the last two shrink
// it by leaving out the padding.
std::vector<Value> append_maps(LayerBuilder& layers, Value features, const ModelOptions& model) {
  constexpr std::array<std::int64_t, levels - 1> middle{256, 256, 128, 128, 128};
  const auto channels = map_channels(model.backbone);
  std::vector<Value> maps{features};
  for (int i = 0; i < levels - 1; ++i) {
    const std::string name = fmt::format("additional_blocks.{}.", i);
    const bool halves = i < 3;
    const Value narrow = layers.convolution_norm(maps.back(), name + "0", name + "1", {.out = middle[i]}, {});
    maps.push_back(layers.convolution_norm(
        narrow, name + "3", name + "4",
        {.out = channels[i + 1], .kernel = 3, .stride = halves ? 2 : 1, .padding = halves ? 1 : 0}, {}));
  }
  return maps;
}

std::vector<Value> append_features(LayerBuilder& layers, Value images, const ModelOptions& model) {
  const Value x{
      layers.graph().append(Kind::normalize, "normalize", {images},
                            graph::NormalizeAttributes{pixel_mean, pixel_standard_deviation, model.compute})};
  return append_maps(layers, append_resnet(layers, x, model), model);
}

Network append_network(LayerBuilder& layers, Value images, const ModelOptions& model) {
  Graph& graph = layers.graph();
  const std::vector<Value> maps = append_features(layers, images, model);
  graph::HeadAttributes heads{.levels = {}, .classes = model.classes};
  std::vector<Value> outputs;
  for (int i = 0; i < levels; ++i) {
    const std::int64_t boxes = boxes_per_cell[i];
    // Offsets and logits of a level are one convolution: its first boxes * 4 channels are loc.i, the rest
    // conf.i.
    outputs.push_back(
        layers.convolution_bias(maps[i], fmt::format("heads.{}", i),
                                {.out = boxes * (4 + model.classes), .kernel = 3, .padding = 1}));
    const Shape& shape = graph.type(outputs.back()).shape;
    heads.levels.push_back({shape[1], shape[2], boxes});
  }
  const int view = graph.append(Kind::head_view, "heads", std::move(outputs), std::move(heads));
  return {{view, 0}, {view, 1}};
}

// Averages gradients and loss over the replicas in one all-reduce.
void append_all_reduce(Graph& graph, std::vector<Value>& gradients, Value& loss) {
  std::vector<Value> inputs = gradients;
  inputs.push_back(loss);
  const int node = graph.append(Kind::all_reduce, "all_reduce", std::move(inputs));
  for (int i = 0; i < static_cast<int>(gradients.size()); ++i) gradients[i] = {node, i};
  loss = {node, static_cast<int>(gradients.size())};
}

// Adds the sums of the micro-batches before to the gradients, and keeps them where the step goes on.
void accumulate(Graph& graph, const std::vector<Value>& trained, std::vector<Value>& gradients,
                Accumulation accumulation) {
  for (std::size_t i = 0; i < trained.size(); ++i) {
    const std::string name = "gradient/" + graph.node(trained[i]).name;
    const Value sum = graph.parameter(name, graph.type(trained[i]));
    if (accumulation != Accumulation::first)
      gradients[i] = {graph.append(Kind::add, name + "/sum", {sum, gradients[i]})};
    if (accumulation != Accumulation::last) graph.update(sum, gradients[i]);
  }
}

void append_update(Graph& graph, const std::vector<Value>& trained, const std::vector<Value>& gradients,
                   Value learning_rate, const TrainingOptions& options) {
  for (std::size_t i = 0; i < trained.size(); ++i) {
    const Value weight = trained[i];
    const std::string name = graph.node(weight).name;
    const bool decays = graph.type(weight).shape.rank() > 1;
    const Value momentum = graph.parameter("momentum/" + name, graph.type(weight));
    const int node =
        graph.append(Kind::sgd_update, name + "/update", {weight, gradients[i], momentum, learning_rate},
                     graph::SgdAttributes{options.momentum, decays ? options.weight_decay : 0.0});
    graph.update(weight, {node, 0});
    graph.update(momentum, {node, 1});
  }
}

}  // namespace

Graph training_graph(const ModelOptions& model, const TrainingOptions& options) {
  Graph graph;
  graph.replicas = options.replicas;
  const std::int64_t n = options.batch, g = options.max_boxes;
  const Value images = graph.input("images", {DType::u8, {n, image_size, image_size, 3}});
  const Value match = graph.input("match", {DType::i32, {n, default_boxes}});
  const Value boxes = graph.input("boxes", {DType::f32, {n, g, 4}});
  const Value labels = graph.input("labels", {DType::i32, {n, g}});
  const Value learning_rate = graph.input("learning_rate", {DType::f32, {}}, false);
  const Value loss_scale = graph.input("loss_scale", {DType::f32, {}}, false);
  const Value defaults = graph.parameter("default_boxes", {DType::f32, {default_boxes, 4}});

  LayerBuilder layers(
      graph,
      {.mode = Mode::training, .compute = model.compute, .batch_norm_group = options.batch_norm_group});
  const Network network = append_network(layers, images, model);
  const int loss_node =
      graph.append(Kind::multibox_loss, "loss", {network.loc, network.conf, match, boxes, labels, defaults},
                   graph::LossAttributes{});
  Value loss{loss_node};
  const std::vector<Value>& trained = layers.trained();
  std::vector<Value> gradients = graph::gradients(graph, loss, loss_scale, trained);

  if (options.accumulation != Accumulation::none) accumulate(graph, trained, gradients, options.accumulation);
  const bool updates =
      options.accumulation == Accumulation::none || options.accumulation == Accumulation::last;
  if (options.replicas > 1) {
    std::vector<Value> none;
    append_all_reduce(graph, updates ? gradients : none, loss);
  }
  if (updates) append_update(graph, trained, gradients, learning_rate, options);

  graph.output("loss", loss, false);
  graph.output("loc_loss", {loss_node, 1}, true);
  graph.output("conf_loss", {loss_node, 2}, true);
  graph.output("positives", {loss_node, 3}, true);
  if (options.inspect) {
    graph.output("loc", network.loc, true);
    graph.output("conf", network.conf, true);
    for (std::size_t i = 0; i < trained.size(); ++i)
      graph.output("gradient/" + graph.node(trained[i]).name, gradients[i], false);
  }
  return graph;
}

Graph inference_graph(const ModelOptions& model, std::int64_t batch) {
  Graph graph;
  const Value images = graph.input("images", {DType::u8, {batch, image_size, image_size, 3}});
  LayerBuilder layers(graph, {.mode = Mode::inference, .compute = model.compute});
  const Network network = append_network(layers, images, model);
  graph.output("loc", network.loc, true);
  graph.output("conf", network.conf, true);
  return graph;
}

graph::Graph statistics_graph(const ModelOptions& model, std::int64_t batch) {
  Graph graph;
  const Value images = graph.input("images", {DType::u8, {batch, image_size, image_size, 3}});
  LayerBuilder layers(graph, {.mode = Mode::training, .compute = model.compute, .running_momentum = 1});
  append_features(layers, images, model);
  return graph;
}

std::vector<ConvolutionLayer> convolution_layers(const ModelOptions& model) {
  Graph graph;
  const Value images = graph.input("images", {DType::u8, {1, image_size, image_size, 3}});
  LayerBuilder layers(graph, {.mode = Mode::inference});
  append_network(layers, images, model);
  return layers.layers();
}

}  // namespace ssd::model
