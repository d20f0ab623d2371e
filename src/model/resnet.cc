#include "model/resnet.h"

#include <fmt/format.h>

#include <array>

namespace ssd::model {
namespace {

using graph::Value;

constexpr const char* prefix = "feature_extractor.feature_extractor.";

struct Stages {
  bool bottleneck;
  std::array<int, 3> blocks;  // of conv2_x, conv3_x, conv4_x
};

Stages stages_of(Backbone backbone) {
  switch (backbone) {
    case Backbone::resnet18:
      return {false, {2, 2, 2}};
    case Backbone::resnet34:
      return {false, {3, 4, 6}};
    case Backbone::resnet50:
      return {true, {3, 4, 6}};
    case Backbone::resnet101:
      return {true, {3, 4, 23}};
    case Backbone::resnet152:
      return {true, {3, 8, 36}};
  }
  return {};
}

struct Block {
  std::string name;     // "feature_extractor.feature_extractor.4.0"
  std::int64_t planes;  // channels of the inner convolutions
  std::int64_t stride;
  StrideIn stride_in;
};

// The identity, or its 1x1 projection where the shape changes.
Value shortcut(LayerBuilder& layers, Value x, const Block& block, std::int64_t out) {
  if (block.stride == 1 && layers.channels(x) == out) return x;
  return layers.convolution_norm(x, block.name + ".downsample.0", block.name + ".downsample.1",
                                 {.out = out, .stride = block.stride}, {.relu = false, .residual = {}});
}

Value append_basic(LayerBuilder& layers, Value x, const Block& block) {
  const std::string& name = block.name;
  const Value y =
      layers.convolution_norm(x, name + ".conv1", name + ".bn1",
                              {.out = block.planes, .kernel = 3, .stride = block.stride, .padding = 1}, {});
  const Value identity = shortcut(layers, x, block, block.planes);
  return layers.convolution_norm(y, name + ".conv2", name + ".bn2",
                                 {.out = block.planes, .kernel = 3, .padding = 1},
                                 {.relu = true, .residual = identity});
}

Value append_bottleneck(LayerBuilder& layers, Value x, const Block& block) {
  const std::string& name = block.name;
  const bool first = block.stride_in == StrideIn::conv1x1;
  Value y = layers.convolution_norm(x, name + ".conv1", name + ".bn1",
                                    {.out = block.planes, .stride = first ? block.stride : 1}, {});
  y = layers.convolution_norm(
      y, name + ".conv2", name + ".bn2",
      {.out = block.planes, .kernel = 3, .stride = first ? 1 : block.stride, .padding = 1}, {});
  const Value identity = shortcut(layers, x, block, 4 * block.planes);
  return layers.convolution_norm(y, name + ".conv3", name + ".bn3", {.out = 4 * block.planes},
                                 {.relu = true, .residual = identity});
}

}  // namespace

Value append_resnet(LayerBuilder& layers, Value images, const ModelOptions& options) {
  const std::string root = prefix;
  layers.freeze(options.frozen_stages > 0);
  Value x = layers.convolution_norm(images, root + "0", root + "1",
                                    {.out = 64, .kernel = 7, .stride = 2, .padding = 3}, {});
  x = layers.max_pool(x, root + "3");
  const Stages stages = stages_of(options.backbone);
  for (int stage = 0; stage < 3; ++stage) {
    layers.freeze(options.frozen_stages > stage + 1);
    for (int i = 0; i < stages.blocks[stage]; ++i) {
      const Block block{.name = fmt::format("{}{}.{}", root, stage + 4, i),
                        .planes = std::int64_t{64} << stage,
                        .stride = stage == 1 && i == 0 ? 2 : 1,
                        .stride_in = options.stride_in};
      x = stages.bottleneck ? append_bottleneck(layers, x, block) : append_basic(layers, x, block);
    }
  }
  layers.freeze(false);
  return x;
}

std::string ssd_name_of_torchvision(const std::string& name) {
  constexpr std::array<std::array<const char*, 2>, 5> renamed{
      {{"conv1.", "0."}, {"bn1.", "1."}, {"layer1.", "4."}, {"layer2.", "5."}, {"layer3.", "6."}}};
  for (const auto& [theirs, ours] : renamed)
    if (name.starts_with(theirs)) return prefix + (ours + name.substr(std::string(theirs).size()));
  return "";
}

}  // namespace ssd::model
