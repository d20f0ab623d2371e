// For the tests of this room: a network of formula weights, and what the CPU backend makes of two images.
#pragma once

#include <cstdint>
#include <string>
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

}  // namespace ssd
