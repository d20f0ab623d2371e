#include "model/ssd300.h"

#include <fmt/format.h>

#include <array>

#include "base/error.h"
#include "boxes/ssd300.h"
#include "model/resnet.h"

namespace ssd::model {
namespace {

using graph::Graph;
using graph::Kind;
using graph::Value;

constexpr int levels = map_sizes.size();

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
  const Value x = layers.normalize(images, {pixel_mean, pixel_deviation, model.compute});
  return append_maps(layers, append_resnet(layers, x, model), model);
}

}  // namespace

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

Graph inference_graph(const ModelOptions& model, std::int64_t batch) {
  if (model.compute != DType::f32 && !model.activation_scales.empty())
    throw Error(
        "got a quantised network and precision {}, but its values have 8 bits already; leave --precision "
        "out, or "
        "take the checkpoint that was quantised",
        name_of(model.compute));
  Graph graph;
  const Value images = graph.input("images", {DType::u8, {batch, image_size, image_size, 3}});
  LayerBuilder layers(
      graph,
      {.mode = Mode::inference, .compute = model.compute, .activation_scales = model.activation_scales});
  const Network network = append_network(layers, images, model);
  graph.output("loc", network.loc, true);
  graph.output("conf", network.conf, true);
  return graph;
}

std::vector<std::string> rounded_activations(const ModelOptions& model) {
  std::vector<std::string> names{"normalize"};
  for (const ConvolutionLayer& layer : convolution_layers(model))
    if (!layer.batch_norm.empty()) names.push_back(layer.name);
  return names;
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
