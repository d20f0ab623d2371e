// For the tests of this room: a graph run here and by the float64 interpreter.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "backend/cpu/program.h"
#include "base/random.h"
#include "graph/interpreter/interpreter.h"

namespace ssd::cpu {

// A graph whose inputs and parameters get random values in -1 .. 1, unless `feeds` already has others.
struct Trial {
  graph::Graph graph;
  graph::Feeds feeds;

  graph::Value f32(const std::string& name, Shape shape) {
    return graph.parameter(name, {DType::f32, std::move(shape)});
  }
  void fill() {
    for (const graph::Node& node : graph.nodes()) {
      const bool fed = node.kind == graph::Kind::input || node.kind == graph::Kind::parameter;
      if (!fed || feeds.contains(node.name)) continue;
      graph::Array array(node.outputs[0].shape);
      Random random(7, 0, std::hash<std::string>{}(node.name));
      for (double& value : array.values) value = static_cast<float>(random.uniform(-1, 1));
      feeds[node.name] = std::move(array);
    }
  }
  // Outputs every result of a node under the names 0, 1, ...
  void output_all(int node) {
    for (int i = 0; i < static_cast<int>(graph.nodes()[node].outputs.size()); ++i)
      graph.output(std::to_string(i), {node, i}, false);
  }
};

inline TensorMap parameters_of(const Trial& trial) {
  TensorMap parameters;
  for (const int id : trial.graph.parameters()) {
    const graph::Node& node = trial.graph.nodes()[id];
    parameters.emplace(node.name, graph::to_tensor(trial.feeds.at(node.name), node.outputs[0].dtype));
  }
  return parameters;
}

inline std::vector<Tensor> inputs_of(const Trial& trial) {
  std::vector<Tensor> inputs;
  for (const int id : trial.graph.inputs()) {
    const graph::Node& node = trial.graph.nodes()[id];
    inputs.push_back(graph::to_tensor(trial.feeds.at(node.name), node.outputs[0].dtype));
  }
  return inputs;
}

// The largest difference must stay under `tolerance` times the largest value (at least 1).
inline void expect_near(const graph::Array& expected, const TensorView& got, double tolerance,
                        const std::string& what) {
  const graph::Array values = graph::to_array(got);
  ASSERT_EQ(values.shape, expected.shape) << what;
  double largest = 1, worst = 0;
  std::size_t where = 0;
  for (std::size_t i = 0; i < values.values.size(); ++i) {
    largest = std::max(largest, std::abs(expected.values[i]));
    const double difference = std::abs(values.values[i] - expected.values[i]);
    if (!(difference <= worst)) {
      worst = difference;
      where = i;
    }
  }
  EXPECT_LE(worst, tolerance * largest)
      << what << "[" << where << "]: got " << values.values[where] << ", expected " << expected.values[where];
}

struct Comparison {
  double tolerance = 1e-5;
  int threads = 2;
  int steps = 1;
};

// Runs steps of the trial here and in the interpreter; outputs of every step and parameters after the last
// must agree.
inline void expect_like_interpreter(Trial& trial, graph::Program* program, const Comparison& comparison) {
  const auto [tolerance, threads, steps] = comparison;
  program->load(parameters_of(trial));
  const std::vector<Tensor> inputs = inputs_of(trial);
  const std::vector<TensorView> views(inputs.begin(), inputs.end());
  graph::Feeds feeds = trial.feeds;
  for (int step = 0; step < steps; ++step) {
    const std::vector<Tensor> outputs = program->run(views);
    const graph::Interpretation expected = graph::interpret(trial.graph, feeds);
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      const std::string& name = trial.graph.outputs()[i].name;
      expect_near(expected.outputs.at(name), outputs[i], tolerance,
                  "step " + std::to_string(step) + ", output " + name);
    }
    for (const auto& [name, array] : expected.updates) feeds[name] = array;
  }
  const TensorMap after = program->save();
  for (const int id : trial.graph.parameters()) {
    const std::string& name = trial.graph.nodes()[id].name;
    expect_near(feeds.at(name), after.at(name), tolerance, "parameter " + name);
  }
}

// With the blocks that this processor prefers, and with those of others: own kernels take either.
inline void expect_like_interpreter(Trial& trial, const Comparison& comparison = {}) {
  trial.fill();
  for (const std::int64_t block : {8, 16}) {
    SCOPED_TRACE(testing::Message() << "blocks of " << block);
    CpuProgram program({trial.graph}, {.threads = comparison.threads, .block = block});
    expect_like_interpreter(trial, &program, comparison);
  }
}

}  // namespace ssd::cpu
