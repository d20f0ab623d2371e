#include "model/layers.h"

namespace ssd::model {

using graph::Kind;
using graph::Value;

Value LayerBuilder::trained(const std::string& name, Shape shape) {
  trained_.push_back(graph_.parameter(name, {DType::f32, std::move(shape)}));
  return trained_.back();
}

graph::ConvolutionAttributes LayerBuilder::attributes(const ConvolutionShape& shape) const {
  return {.stride = shape.stride,
          .padding = shape.padding,
          .kernel = shape.kernel,
          .compute = options_.compute,
          .output = options_.compute};
}

graph::Rounding LayerBuilder::rounding_named(const std::string& name, bool has_sign) const {
  const auto found = options_.activation_scales.find(name);
  if (options_.mode != Mode::inference || found == options_.activation_scales.end()) return {};
  return {.scale = found->second, .has_sign = has_sign};
}

graph::Rounding LayerBuilder::rounding_of(Value value) const {
  const auto found = rounded_.find(value);
  return found == rounded_.end() ? graph::Rounding{} : found->second;
}

Value LayerBuilder::normalize(Value images, const graph::NormalizeAttributes& attributes) {
  const Value x{graph_.append(Kind::normalize, "normalize", {images}, attributes)};
  rounded_[x] = rounding_named("normalize", true);
  return x;
}

Value LayerBuilder::convolution_norm(Value x, const std::string& convolution, const std::string& batch_norm,
                                     const ConvolutionShape& shape, const Normed& normed) {
  const std::int64_t in = channels(x);
  layers_.push_back({convolution, batch_norm, shape.out, in, shape.kernel, frozen_});
  if (options_.mode == Mode::inference || frozen_) return folded(x, convolution, shape, normed);

  const bool residual = normed.residual.node >= 0;
  const graph::ConvolutionAttributes attributes = this->attributes(shape);
  const Value weight = trained(convolution + ".weight", {shape.out, in, shape.kernel, shape.kernel});
  const Value scale = trained(batch_norm + ".weight", {shape.out});
  const Value shift = trained(batch_norm + ".bias", {shape.out});
  const Value y{graph_.append(Kind::convolution, convolution, {x, weight}, attributes)};
  std::vector<Value> inputs{y, scale, shift};
  if (residual) inputs.push_back(normed.residual);
  const int norm =
      graph_.append(Kind::batch_norm, batch_norm, std::move(inputs),
                    graph::BatchNormAttributes{
                        .relu = normed.relu, .residual = residual, .group = options_.batch_norm_group});
  const Value mean = graph_.parameter(batch_norm + ".running_mean", {DType::f32, {shape.out}});
  const Value variance = graph_.parameter(batch_norm + ".running_var", {DType::f32, {shape.out}});
  const std::int64_t count = graph_.type(y).shape.elements() / shape.out * options_.batch_norm_group;
  const int running =
      graph_.append(Kind::running_statistics, batch_norm + "/running", {mean, variance, {norm, 1}, {norm, 2}},
                    graph::RunningAttributes{.momentum = options_.running_momentum, .count = count});
  graph_.update(mean, {running, 0});
  graph_.update(variance, {running, 1});
  return {norm};
}

Value LayerBuilder::folded(Value x, const std::string& convolution, const ConvolutionShape& shape,
                           const Normed& normed) {
  graph::ConvolutionAttributes attributes = this->attributes(shape);
  attributes.relu = normed.relu;
  attributes.x_rounding = rounding_of(x);
  attributes.y_rounding = rounding_named(convolution, !normed.relu);
  const std::string prefix = options_.mode == Mode::training ? folded_prefix : "";
  const Shape weight{shape.out, channels(x), shape.kernel, shape.kernel};
  std::vector<Value> inputs{x, graph_.parameter(prefix + convolution + ".weight", {DType::f32, weight}),
                            graph_.parameter(prefix + convolution + ".bias", {DType::f32, {shape.out}})};
  if (normed.residual.node >= 0) inputs.push_back(normed.residual);
  const Value y{graph_.append(Kind::fused_convolution, convolution, std::move(inputs), attributes)};
  rounded_[y] = attributes.y_rounding;
  return y;
}

Value LayerBuilder::convolution_bias(Value x, const std::string& name, const ConvolutionShape& shape) {
  const std::int64_t in = channels(x);
  layers_.push_back({name, "", shape.out, in, shape.kernel});
  graph::ConvolutionAttributes attributes = this->attributes(shape);
  attributes.output = DType::f32;
  attributes.x_rounding = rounding_of(x);
  const Value weight = trained(name + ".weight", {shape.out, in, shape.kernel, shape.kernel});
  const Value bias = trained(name + ".bias", {shape.out});
  const Kind kind = options_.mode == Mode::inference ? Kind::fused_convolution : Kind::convolution;
  return {graph_.append(kind, name, {x, weight, bias}, attributes)};
}

Value LayerBuilder::max_pool(Value x, const std::string& name) {
  const Value y{graph_.append(Kind::max_pool, name, {x}, graph::PoolAttributes{})};
  rounded_[y] = rounding_of(x);
  return y;
}

}  // namespace ssd::model
