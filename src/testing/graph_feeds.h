// What the tests of this room share: random feeds, and the comparison with the interpreter.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "base/random.h"
#include "graph/interpreter/interpreter.h"
#include "testing/cpu_plugin.h"

namespace ssd::pjrt {

// Uniform in -1..1, or whole numbers in 0..below - 1.
inline graph::Array random_array(const Shape& shape, std::uint64_t seed) {
  graph::Array array(shape);
  Random random(seed, 0, 0);
  for (double& value : array.values) value = static_cast<float>(random.uniform(-1, 1));
  return array;
}
inline graph::Array random_integers(const Shape& shape, std::uint64_t below, std::uint64_t seed) {
  graph::Array array(shape);
  Random random(seed, 0, 0);
  for (double& value : array.values) value = static_cast<double>(random.below(below));
  return array;
}

// The parameters of a graph, from feeds that name them.
inline TensorMap parameters_of(const graph::Graph& graph, const graph::Feeds& feeds) {
  TensorMap map;
  for (const int number : graph.parameters()) {
    const graph::Node& node = graph.nodes()[number];
    map[node.name] = to_tensor(feeds.at(node.name), node.outputs[0].dtype);
  }
  return map;
}

// The inputs of a graph, in order.
inline std::vector<Tensor> inputs_of(const graph::Graph& graph, const graph::Feeds& feeds) {
  std::vector<Tensor> inputs;
  for (const int number : graph.inputs()) {
    const graph::Node& node = graph.nodes()[number];
    inputs.push_back(to_tensor(feeds.at(node.name), node.outputs[0].dtype));
  }
  return inputs;
}
inline std::vector<TensorView> views_of(const std::vector<Tensor>& tensors) {
  return {tensors.begin(), tensors.end()};
}

// Largest difference, relative to the largest expected value.
inline void expect_near(const TensorView& got, const graph::Array& expected, double tolerance,
                        const std::string& what) {
  ASSERT_EQ(got.shape, expected.shape) << what;
  const graph::Array values = graph::to_array(got);
  double largest = 0, difference = 0;
  for (std::size_t i = 0; i < values.values.size(); ++i) {
    largest = std::max(largest, std::abs(expected.values[i]));
    difference = std::max(difference, std::abs(values.values[i] - expected.values[i]));
    ASSERT_FALSE(std::isnan(values.values[i])) << what << "[" << i << "]";
  }
  EXPECT_LE(difference, tolerance * std::max(largest, 1e-3)) << what << ", largest " << largest;
}

// Runs a graph on the CPU plugin, lowered as for each target, and in the interpreter, and compares all
// outputs and updates.
inline void expect_as_interpreted(const graph::Graph& graph, const graph::Feeds& feeds,
                                  double tolerance = 2e-6,
                                  const std::vector<stablehlo::Target>& targets = {stablehlo::Target::tpu,
                                                                                   stablehlo::Target::gpu}) {
  const graph::Interpretation expected = graph::interpret(graph, feeds);
  const std::vector<Tensor> inputs = inputs_of(graph, feeds);
  for (const stablehlo::Target target : targets) {
    SCOPED_TRACE(target == stablehlo::Target::gpu ? "lowered for GPUs" : "lowered for TPUs");
    const auto device = cpu_device(1, target);
    const auto program = device->compile({graph});
    program->load(parameters_of(graph, feeds));
    const std::vector<Tensor> outputs = program->run(views_of(inputs));
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      const std::string& name = graph.outputs()[i].name;
      expect_near(outputs[i], expected.outputs.at(name), tolerance, name);
    }
    const TensorMap saved = program->save();
    for (const auto& [name, array] : expected.updates) expect_near(saved.at(name), array, tolerance, name);
  }
}

}  // namespace ssd::pjrt
