// For tests of exports: a network of formula weights, and what the CPU backend makes of two images.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "backend/cpu/cpu_device.h"
#include "base/random.h"
#include "boxes/ssd300.h"
#include "export/export_format.h"
#include "model/formula_weights.h"
#include "model/ssd300.h"
#include "model/state.h"

namespace ssd {

inline constexpr std::int64_t test_images = 2;

inline ExportSource formula_source(const model::ModelOptions& model) {
  ExportSource source;
  source.network.model = model;
  source.network.weights = model::formula_weights(model);
  for (std::int64_t label = 1; label < model.classes; ++label)
    source.network.categories.push_back({10 * label, "name " + std::to_string(label)});
  source.sha256 = std::string(64, 'a');
  source.version = "1.2.3";
  return source;
}

// u8 (2,300,300,3).
inline Tensor noise_images() {
  Tensor pixels(DType::u8, {test_images, image_size, image_size, 3});
  Random random(11, 0, 0);
  for (std::uint8_t& value : pixels.as<std::uint8_t>()) value = static_cast<std::uint8_t>(random.next());
  return pixels;
}

// loc and conf.
inline std::vector<Tensor> cpu_outputs(const ExportSource& source, const Tensor& pixels) {
  const auto device = cpu::make_device({.threads = 2});
  std::vector<graph::Graph> graphs;
  graphs.push_back(model::inference_graph(source.network.model, test_images));
  const auto program = device->compile(std::move(graphs));
  program->load(model::inference_parameters(source.network.model, source.network.weights));
  return program->run({pixels});
}

// Scales the heads so that offsets and logits are of the size that a trained network's have, whatever comes
// out of formula weights.
inline void tame_heads(ExportSource& source, const Tensor& pixels) {
  const std::vector<Tensor> outputs = cpu_outputs(source, pixels);
  const auto scale = [&](const Tensor& output, std::string_view layer, float size) {
    float largest = 0;
    for (const float value : output.as<float>()) largest = std::max(largest, std::abs(value));
    for (auto& [name, tensor] : source.network.weights)
      if (name.starts_with(layer))
        for (float& value : tensor.as<float>()) value *= size / largest;
  };
  scale(outputs[0], "loc.", 3);
  scale(outputs[1], "conf.", 6);
}

}  // namespace ssd
