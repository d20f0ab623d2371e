#include "graph/infer.h"

#include <cassert>
#include <cmath>

#include "base/error.h"

namespace ssd::graph {
namespace {

// One node under inference: checks that name the node, and access to what it is made of.
struct Site {
  Kind kind;
  const std::string& name;
  const Attributes& attributes;
  const std::vector<TensorType>& inputs;

  template <typename T>
  const T& as() const {
    return std::get<T>(attributes);
  }

  template <typename... Args>
  [[noreturn]] void fail(fmt::format_string<Args...> format, Args&&... args) const {
    throw Error("{} '{}': {}", name_of(kind), name, fmt::format(format, std::forward<Args>(args)...));
  }

  void expect_count(std::size_t least, std::size_t most) const {
    if (inputs.size() < least || inputs.size() > most)
      fail("got {} inputs, expected {} to {}", inputs.size(), least, most);
  }
  void expect(std::size_t index, const TensorType& type) const {
    if (!(inputs[index] == type))
      fail("input {}: got {}, expected {}", index, to_string(inputs[index]), to_string(type));
  }
  void expect_rank(std::size_t index, std::size_t rank) const {
    if (inputs[index].shape.rank() != rank)
      fail("input {}: got {}, expected rank {}", index, to_string(inputs[index]), rank);
  }
  // An activation: NHWC, f32 or bf16.
  const Shape& activation(std::size_t index) const {
    expect_rank(index, 4);
    const DType dtype = inputs[index].dtype;
    if (dtype != DType::f32 && dtype != DType::bf16)
      fail("input {}: got {}, expected f32 or bf16", index, to_string(inputs[index]));
    return inputs[index].shape;
  }
};

TensorType f32(Shape shape) { return {DType::f32, std::move(shape)}; }
TensorType i32(Shape shape) { return {DType::i32, std::move(shape)}; }

std::int64_t window_count(std::int64_t extent, std::int64_t window, std::int64_t stride,
                          std::int64_t padding) {
  return (extent + 2 * padding - window) / stride + 1;
}

std::vector<TensorType> infer_normalize(const Site& site) {
  site.expect_count(1, 1);
  site.expect_rank(0, 4);
  const Shape& x = site.inputs[0].shape;
  site.expect(0, {DType::u8, {x[0], x[1], x[2], 3}});
  return {{site.as<NormalizeAttributes>().dtype, x}};
}

// Only inference in f32 is quantised.
void expect_rounding(const Site& site, const Rounding& rounding) {
  if (!rounding) return;
  const auto& attributes = site.as<ConvolutionAttributes>();
  if (site.kind != Kind::fused_convolution || attributes.compute != DType::f32 ||
      attributes.output != DType::f32)
    site.fail("got a rounding to 8 bits, expected one of a fused_convolution in f32 alone");
  if (!std::isfinite(rounding.scale) || rounding.scale < 0)
    site.fail("got a rounding to multiples of {}, expected a number above 0", rounding.scale);
}

std::vector<TensorType> infer_convolution(const Site& site) {
  const bool fused = site.kind == Kind::fused_convolution;
  site.expect_count(fused ? 3 : 2, fused ? 4 : 3);
  const auto& attributes = site.as<ConvolutionAttributes>();
  expect_rounding(site, attributes.x_rounding);
  expect_rounding(site, attributes.y_rounding);
  const Shape& x = site.activation(0);
  site.expect_rank(1, 4);
  const std::int64_t k = attributes.kernel;
  const std::int64_t out = site.inputs[1].shape[0];
  site.expect(1, f32({out, x[3], k, k}));
  if (site.inputs.size() > 2) site.expect(2, f32({out}));
  const std::int64_t height = window_count(x[1], k, attributes.stride, attributes.padding);
  const std::int64_t width = window_count(x[2], k, attributes.stride, attributes.padding);
  if (height < 1 || width < 1)
    site.fail("got input {}, expected one at least as large as the {} x {} kernel", to_string(x), k, k);
  const TensorType y{attributes.output, {x[0], height, width, out}};
  if (site.inputs.size() > 3) site.expect(3, y);
  return {y};
}

std::vector<TensorType> infer_convolution_grad_input(const Site& site) {
  site.expect_count(2, 2);
  const auto& attributes = site.as<ConvolutionAttributes>();
  const Shape& dy = site.activation(0);
  const Shape& x = attributes.input;
  const std::int64_t k = attributes.kernel;
  site.expect(1, f32({dy[3], x[3], k, k}));
  const Shape expected{x[0], window_count(x[1], k, attributes.stride, attributes.padding),
                       window_count(x[2], k, attributes.stride, attributes.padding), dy[3]};
  if (!(dy == expected)) site.fail("got gradient {}, expected {}", to_string(dy), to_string(expected));
  return {{attributes.output, x}};
}

std::vector<TensorType> infer_convolution_grad_weight(const Site& site) {
  site.expect_count(2, 2);
  const auto& attributes = site.as<ConvolutionAttributes>();
  const Shape& x = site.activation(0);
  const Shape& dy = site.activation(1);
  const std::int64_t k = attributes.kernel;
  const Shape expected{x[0], window_count(x[1], k, attributes.stride, attributes.padding),
                       window_count(x[2], k, attributes.stride, attributes.padding), dy[3]};
  if (!(dy == expected)) site.fail("got gradient {}, expected {}", to_string(dy), to_string(expected));
  std::vector<TensorType> outputs{f32({dy[3], x[3], k, k})};
  if (attributes.bias) outputs.push_back(f32({dy[3]}));
  return outputs;
}

std::vector<TensorType> infer_batch_norm(const Site& site) {
  const bool residual = site.as<BatchNormAttributes>().residual;
  site.expect_count(residual ? 4 : 3, residual ? 4 : 3);
  const TensorType per_channel = f32({site.activation(0)[3]});
  site.expect(1, per_channel);
  site.expect(2, per_channel);
  if (residual) site.expect(3, site.inputs[0]);
  return {site.inputs[0], per_channel, per_channel};
}

std::vector<TensorType> infer_batch_norm_grad(const Site& site) {
  site.expect_count(6, 6);
  const TensorType per_channel = f32({site.activation(1)[3]});
  site.expect(0, site.inputs[1]);
  site.expect(2, site.inputs[1]);
  for (std::size_t i = 3; i < 6; ++i) site.expect(i, per_channel);
  std::vector<TensorType> outputs{site.inputs[1], per_channel, per_channel};
  if (site.as<BatchNormAttributes>().residual) outputs.push_back(site.inputs[1]);
  return outputs;
}

TensorType pooled(const Site& site, std::size_t index) {
  const auto& attributes = site.as<PoolAttributes>();
  const Shape& x = site.activation(index);
  return {site.inputs[index].dtype,
          {x[0], window_count(x[1], attributes.window, attributes.stride, attributes.padding),
           window_count(x[2], attributes.window, attributes.stride, attributes.padding), x[3]}};
}

std::vector<TensorType> infer_max_pool(const Site& site) {
  site.expect_count(1, 1);
  return {pooled(site, 0)};
}

std::vector<TensorType> infer_max_pool_grad(const Site& site) {
  site.expect_count(3, 3);
  const TensorType y = pooled(site, 1);
  site.expect(0, y);
  site.expect(2, y);
  return {site.inputs[1]};
}

std::vector<TensorType> infer_add(const Site& site) {
  site.expect_count(2, 2);
  site.expect(1, site.inputs[0]);
  return {site.inputs[0]};
}

std::int64_t default_boxes(const HeadAttributes& attributes) {
  std::int64_t count = 0;
  for (const HeadLevel& level : attributes.levels) count += level.height * level.width * level.boxes;
  return count;
}

TensorType head_map(const HeadAttributes& attributes, const HeadLevel& level, std::int64_t images) {
  return f32({images, level.height, level.width, level.boxes * (4 + attributes.classes)});
}

std::vector<TensorType> infer_head_view(const Site& site) {
  const auto& attributes = site.as<HeadAttributes>();
  site.expect_count(attributes.levels.size(), attributes.levels.size());
  const std::int64_t images = site.activation(0)[0];
  for (std::size_t i = 0; i < site.inputs.size(); ++i)
    site.expect(i, head_map(attributes, attributes.levels[i], images));
  const std::int64_t boxes = default_boxes(attributes);
  return {f32({images, boxes, 4}), f32({images, boxes, attributes.classes})};
}

std::vector<TensorType> infer_head_view_grad(const Site& site) {
  const auto& attributes = site.as<HeadAttributes>();
  site.expect_count(2, 2);
  site.expect_rank(0, 3);
  const std::int64_t images = site.inputs[0].shape[0];
  const std::int64_t boxes = default_boxes(attributes);
  site.expect(0, f32({images, boxes, 4}));
  site.expect(1, f32({images, boxes, attributes.classes}));
  std::vector<TensorType> outputs;
  for (const HeadLevel& level : attributes.levels) outputs.push_back(head_map(attributes, level, images));
  return outputs;
}

// Inputs first .. first + 5: loc, conf, match, boxes, labels, default boxes.
void expect_loss_inputs(const Site& site, std::size_t first) {
  site.expect_rank(first, 3);
  site.expect_rank(first + 1, 3);
  site.expect_rank(first + 3, 3);
  const std::int64_t images = site.inputs[first].shape[0];
  const std::int64_t defaults = site.inputs[first].shape[1];
  const std::int64_t classes = site.inputs[first + 1].shape[2];
  const std::int64_t boxes = site.inputs[first + 3].shape[1];
  site.expect(first, f32({images, defaults, 4}));
  site.expect(first + 1, f32({images, defaults, classes}));
  site.expect(first + 2, i32({images, defaults}));
  site.expect(first + 3, f32({images, boxes, 4}));
  site.expect(first + 4, i32({images, boxes}));
  site.expect(first + 5, f32({defaults, 4}));
}

std::vector<TensorType> infer_multibox_loss(const Site& site) {
  site.expect_count(6, 6);
  expect_loss_inputs(site, 0);
  const std::int64_t images = site.inputs[0].shape[0];
  return {
      f32({}), f32({images}), f32({images}), i32({images}), {DType::u8, {images, site.inputs[0].shape[1]}}};
}

std::vector<TensorType> infer_multibox_loss_grad(const Site& site) {
  site.expect_count(9, 9);
  site.expect(0, f32({}));
  expect_loss_inputs(site, 1);
  site.expect(7, i32({site.inputs[1].shape[0]}));
  site.expect(8, {DType::u8, {site.inputs[1].shape[0], site.inputs[1].shape[1]}});
  return {site.inputs[1], site.inputs[2]};
}

std::vector<TensorType> infer_running_statistics(const Site& site) {
  site.expect_count(4, 4);
  site.expect_rank(0, 1);
  const TensorType per_channel = f32(site.inputs[0].shape);
  for (std::size_t i = 0; i < 4; ++i) site.expect(i, per_channel);
  return {per_channel, per_channel};
}

std::vector<TensorType> infer_update(const Site& site) {
  const UpdateRule& rule = site.as<UpdateAttributes>().rule;
  const std::size_t tensors = 2 + rule.slots.size();
  const std::size_t count =
      tensors + 1 + rule.uses(UpdateRule::Op::step) + rule.uses(UpdateRule::Op::squared_norm);
  site.expect_count(count, count);
  const TensorType weight = f32(site.inputs[0].shape);
  for (std::size_t i = 0; i < tensors; ++i) site.expect(i, weight);
  for (std::size_t i = tensors; i < count; ++i) site.expect(i, f32({}));
  return std::vector<TensorType>(1 + rule.slots.size(), weight);
}

std::vector<TensorType> infer_squared_norm(const Site& site) {
  if (site.inputs.empty()) site.fail("got no inputs, expected one or more");
  for (std::size_t i = 0; i < site.inputs.size(); ++i) site.expect(i, f32(site.inputs[i].shape));
  return {f32({})};
}

}  // namespace

std::vector<TensorType> infer(Kind kind, const std::string& name, const Attributes& attributes,
                              const std::vector<TensorType>& inputs) {
  const Site site{kind, name, attributes, inputs};
  switch (kind) {
    case Kind::input:
    case Kind::parameter:
      break;
    case Kind::normalize:
      return infer_normalize(site);
    case Kind::convolution:
    case Kind::fused_convolution:
      return infer_convolution(site);
    case Kind::convolution_grad_input:
      return infer_convolution_grad_input(site);
    case Kind::convolution_grad_weight:
      return infer_convolution_grad_weight(site);
    case Kind::batch_norm:
      return infer_batch_norm(site);
    case Kind::batch_norm_grad:
      return infer_batch_norm_grad(site);
    case Kind::max_pool:
      return infer_max_pool(site);
    case Kind::max_pool_grad:
      return infer_max_pool_grad(site);
    case Kind::add:
      return infer_add(site);
    case Kind::head_view:
      return infer_head_view(site);
    case Kind::head_view_grad:
      return infer_head_view_grad(site);
    case Kind::multibox_loss:
      return infer_multibox_loss(site);
    case Kind::multibox_loss_grad:
      return infer_multibox_loss_grad(site);
    case Kind::running_statistics:
      return infer_running_statistics(site);
    case Kind::update:
      return infer_update(site);
    case Kind::squared_norm:
      return infer_squared_norm(site);
    case Kind::all_reduce:
      return inputs;
  }
  assert(false && "inputs and parameters have given types");
  return {};
}

}  // namespace ssd::graph
