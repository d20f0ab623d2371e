// A whole training step in miniature: images -> normalize -> convolutions, batch norms, pool, a residual
// block -> heads of two levels -> loss -> gradients -> (all-reduce) -> update.
#pragma once

#include "graph/gradient.h"
#include "testing/graph_feeds.h"
#include "testing/update_rules.h"

namespace ssd::pjrt {

struct SmallSsd {
  static constexpr std::int64_t images = 2, size = 20, classes = 5, boxes = 3, defaults = 5 * 5 * 2 + 3 * 3;

  explicit SmallSsd(int replicas = 1, int group = 1, DType type = DType::f32)
      : batch_norm_group(group), compute(type) {
    using graph::Kind;
    using graph::Value;
    step.replicas = replicas;
    const Value x = step.input("images", {DType::u8, {images, size, size, 3}});
    Value y{step.append(Kind::normalize, "normalize", {x},
                        graph::NormalizeAttributes{{0.4, 0.5, 0.6}, {0.2, 0.3, 0.4}, compute})};
    y = norm(convolution(y, "conv1", 8, {.stride = 2, .padding = 1, .kernel = 3}), "bn1", {});
    y = {step.append(Kind::max_pool, "pool", {y}, graph::PoolAttributes{})};  // (2,5,5,8)
    y = norm(convolution(y, "conv2", 8, {.padding = 1, .kernel = 3}), "bn2", {y});
    const Value narrow = norm(convolution(y, "narrow", 2, {}), "bn_narrow", {});
    y = norm(convolution(narrow, "widen", 8, {}), "bn_widen", {y});
    const Value small = norm(convolution(y, "conv3", 6, {.stride = 2, .padding = 1, .kernel = 3}), "bn3", {});
    const Value a = convolution(y, "head0", 2 * (4 + classes), {.padding = 1, .kernel = 3, .bias = true});
    const Value b = convolution(small, "head1", 4 + classes, {.padding = 1, .kernel = 3, .bias = true});
    const int view =
        step.append(Kind::head_view, "heads", {a, b}, graph::HeadAttributes{{{5, 5, 2}, {3, 3, 1}}, classes});
    const Value match = step.input("match", {DType::i32, {images, defaults}});
    const Value truth = step.input("boxes", {DType::f32, {images, boxes, 4}});
    const Value labels = step.input("labels", {DType::i32, {images, boxes}});
    const Value rate = step.input("rate", {DType::f32, {}}, false);
    const Value fixed = step.parameter("default_boxes", {DType::f32, {defaults, 4}});
    const int loss =
        step.append(Kind::multibox_loss, "loss", {{view, 0}, {view, 1}, match, truth, labels, fixed},
                    graph::LossAttributes{0.1, 0.2, 3});
    const Value seed = step.input("seed", {DType::f32, {}}, false);
    std::vector<Value> gradients = graph::gradients(step, {loss}, seed, trained);
    if (replicas > 1) {
      const int node = step.append(Kind::all_reduce, "all_reduce", gradients);
      for (std::size_t i = 0; i < gradients.size(); ++i) gradients[i] = {node, static_cast<int>(i)};
    }
    update(gradients, rate);
    step.output("loss", {loss}, false);
    step.output("conf_loss", {loss, 2}, true);
    step.output("chosen", {loss, 4}, true);
    state["default_boxes"] = random_array({defaults, 4}, 3);
    for (double& value : state["default_boxes"].values) value = static_cast<float>(0.5 + 0.3 * value);
    // Small logits: with large ones a cross entropy may vanish in f32 and tie where it does not in f64.
    for (const char* head : {"head0.weight", "head1.weight"})
      for (double& value : state[head].values) value = static_cast<float>(0.1 * value);
  }

  // Inputs of one replica.
  graph::Feeds feeds(std::uint64_t seed) const {
    graph::Feeds result;
    result["images"] = random_integers({images, size, size, 3}, 256, seed);
    result["boxes"] = random_array({images, boxes, 4}, seed + 1);
    for (double& value : result["boxes"].values) value = static_cast<float>(0.5 + 0.3 * value);
    result["labels"] = random_integers({images, boxes}, classes - 1, seed + 2);
    for (double& value : result["labels"].values) value += 1;
    result["match"] = random_integers({images, defaults}, 24, seed + 3);
    for (double& value : result["match"].values)
      if (value >= boxes) value = -1;
    result["rate"] = graph::Array(Shape{}, {0.05});
    result["seed"] = graph::Array(Shape{}, {1.0});
    return result;
  }

  graph::Graph step;
  graph::Feeds state;
  int batch_norm_group;
  DType compute;

 private:
  using Value = graph::Value;

  Value parameter(const std::string& name, const Shape& shape) {
    state[name] = random_array(shape, std::hash<std::string>{}(name));
    trained.push_back(step.parameter(name, {DType::f32, shape}));
    return trained.back();
  }

  Value convolution(Value x, const std::string& name, std::int64_t out,
                    graph::ConvolutionAttributes attributes) {
    const bool bias = std::exchange(attributes.bias, false);
    attributes.compute = compute;
    attributes.output = bias ? DType::f32 : compute;
    const std::int64_t k = attributes.kernel;
    std::vector<Value> inputs{x, parameter(name + ".weight", {out, step.type(x).shape[3], k, k})};
    if (bias) inputs.push_back(parameter(name + ".bias", {out}));
    return {step.append(graph::Kind::convolution, name, std::move(inputs), attributes)};
  }

  Value norm(Value x, const std::string& name, std::vector<Value> residual) {
    const Shape channels{step.type(x).shape[3]};
    std::vector<Value> inputs{x, parameter(name + ".scale", channels), parameter(name + ".shift", channels)};
    for (double& value : state[name + ".scale"].values) value += 1.5;
    const bool adds = !residual.empty();
    inputs.insert(inputs.end(), residual.begin(), residual.end());
    const graph::BatchNormAttributes attributes{.relu = true, .residual = adds, .group = batch_norm_group};
    const int node = step.append(graph::Kind::batch_norm, name, std::move(inputs), attributes);
    const Value mean = step.parameter(name + ".mean", {DType::f32, channels});
    const Value variance = step.parameter(name + ".variance", {DType::f32, channels});
    state[name + ".mean"] = random_array(channels, 8);
    state[name + ".variance"] = random_array(channels, 9);
    const std::int64_t count = step.type(x).shape.elements() / channels[0] * batch_norm_group;
    const int running =
        step.append(graph::Kind::running_statistics, name + "/running",
                    {mean, variance, {node, 1}, {node, 2}}, graph::RunningAttributes{.count = count});
    step.update(mean, {running, 0});
    step.update(variance, {running, 1});
    return {node};
  }

  void update(const std::vector<Value>& gradients, Value rate) {
    for (std::size_t i = 0; i < trained.size(); ++i) {
      const std::string name = step.node(trained[i]).name;
      const Value momentum = step.parameter("momentum/" + name, step.type(trained[i]));
      state["momentum/" + name] = graph::Array(step.type(trained[i]).shape);
      const int node =
          step.append(graph::Kind::update, name + "/update", {trained[i], gradients[i], momentum, rate},
                      graph::UpdateAttributes{graph::sgd_rule(0.9, 5e-4)});
      step.update(trained[i], {node, 0});
      step.update(momentum, {node, 1});
    }
  }

  std::vector<Value> trained;
};

}  // namespace ssd::pjrt
