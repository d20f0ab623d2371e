#include "export/onnx_network.h"

#include <array>
#include <cassert>
#include <cmath>

#include "base/error.h"
#include "boxes/ssd300.h"

namespace ssd::onnx {
namespace {

using graph::Kind;
using graph::Node;

constexpr std::int64_t channel_axis = 1;

Tensor to_f16(const TensorView& values, const std::string& name) {
  Tensor result(DType::f16, values.shape);
  const auto from = values.as<float>();
  const auto to = result.as<std::uint16_t>();
  for (std::size_t i = 0; i < from.size(); ++i) {
    to[i] = float_to_f16(from[i]);
    if (!std::isfinite(f16_to_float(to[i])))
      throw Error(
          "weights: got {} in '{}' after batch norm was folded in, expected at most 65504 in f16; pass "
          "--precision f32",
          from[i], name);
  }
  return result;
}

// A factor or a summand for each of three channels.
std::string per_channel(Model& model, const std::string& name, const std::array<double, 3>& values) {
  Tensor tensor(DType::f32, {1, 3, 1, 1});
  for (std::size_t i = 0; i < 3; ++i) tensor.as<float>()[i] = static_cast<float>(values[i]);
  return model.constant(name, tensor);
}

class NetworkWriter {
 public:
  NetworkWriter(Model& model, const graph::Graph& graph, const TensorMap& parameters,
                const ExportOptions& options)
      : model_(model),
        graph_(graph),
        parameters_(parameters),
        options_(options),
        values_(graph.nodes().size()) {}

  NetworkValues append() {
    for (std::size_t i = 0; i < graph_.nodes().size(); ++i) {
      const Node& node = graph_.nodes()[i];
      if (node.kind == Kind::head_view)
        heads(node);
      else
        values_[i] = value_of(node);
    }
    return result_;
  }

 private:
  bool half() const { return options_.precision == DType::f16; }
  const std::string& input(const Node& node, std::size_t index) const {
    return values_[static_cast<std::size_t>(node.inputs[index].node)];
  }

  std::string value_of(const Node& node) {
    switch (node.kind) {
      case Kind::input:
        return images(node);
      case Kind::parameter:
        return parameter(node);
      case Kind::normalize:
        return normalize(node);
      case Kind::fused_convolution:
        return convolution(node);
      case Kind::max_pool:
        return max_pool(node);
      case Kind::head_view:
      case Kind::convolution:
      case Kind::convolution_grad_input:
      case Kind::convolution_grad_weight:
      case Kind::batch_norm:
      case Kind::batch_norm_grad:
      case Kind::max_pool_grad:
      case Kind::add:
      case Kind::head_view_grad:
      case Kind::multibox_loss:
      case Kind::multibox_loss_grad:
      case Kind::running_statistics:
      case Kind::update:
      case Kind::squared_norm:
      case Kind::all_reduce:
        break;
    }
    assert(false && "inference has no node of this kind");
    return "";
  }

  // The model's input, as f32 (N,3,300,300).
  std::string images(const Node& node) {
    const Dimension batch = batch_dimension(options_), side{image_size}, channels{3};
    if (options_.input == ExportOptions::Input::f32_nchw)
      return model_.input({node.name, DType::f32, {batch, channels, side, side}});
    const std::string bytes = model_.input({node.name, DType::u8, {batch, side, side, channels}});
    const std::string pixels = model_.node("Cast", {bytes}, {{"to", number_of(DType::f32)}});
    return model_.node("Transpose", {pixels}, {{"perm", std::vector<std::int64_t>{0, 3, 1, 2}}});
  }

  std::string parameter(const Node& node) {
    const Tensor& tensor = parameters_.at(node.name);
    if (half()) return model_.constant(node.name, to_f16(tensor, node.name));
    return model_.constant(node.name, tensor);
  }

  std::string normalize(const Node& node) {
    const auto& attributes = node.as<graph::NormalizeAttributes>();
    const double white = options_.input == ExportOptions::Input::u8_nhwc ? 255 : 1;
    std::array<double, 3> scale{}, shift{};
    for (std::size_t i = 0; i < 3; ++i) {
      scale[i] = 1 / (white * attributes.standard_deviation[i]);
      shift[i] = -attributes.mean[i] / attributes.standard_deviation[i];
    }
    const std::string scaled =
        model_.node("Mul", {input(node, 0), per_channel(model_, "normalize.scale", scale)});
    const std::string normalized =
        model_.node("Add", {scaled, per_channel(model_, "normalize.shift", shift)});
    return half() ? model_.node("Cast", {normalized}, {{"to", number_of(DType::f16)}}) : normalized;
  }

  std::string convolution(const Node& node) {
    const auto& attributes = node.as<graph::ConvolutionAttributes>();
    const std::int64_t pad = attributes.padding, kernel = attributes.kernel, stride = attributes.stride;
    std::string y = model_.node("Conv", {input(node, 0), input(node, 1), input(node, 2)},
                                {{"kernel_shape", std::vector{kernel, kernel}},
                                 {"strides", std::vector{stride, stride}},
                                 {"pads", std::vector{pad, pad, pad, pad}}},
                                model_.fresh(node.name));
    if (node.inputs.size() > 3) y = model_.node("Add", {y, input(node, 3)});
    return attributes.relu ? model_.node("Relu", {y}) : y;
  }

  std::string max_pool(const Node& node) {
    const auto& attributes = node.as<graph::PoolAttributes>();
    const std::int64_t pad = attributes.padding, window = attributes.window, stride = attributes.stride;
    return model_.node("MaxPool", {input(node, 0)},
                       {{"kernel_shape", std::vector{window, window}},
                        {"strides", std::vector{stride, stride}},
                        {"pads", std::vector{pad, pad, pad, pad}}});
  }

  // Channels [begin, end) of a level's map as (N, rows, default boxes of the level): in NCHW the order of the
  // default boxes is that of the elements.
  struct Part {
    std::int64_t begin = 0, end = 0, rows = 0;
  };
  std::string part(const std::string& map, const graph::HeadLevel& level, const Part& part) {
    const std::string channels = model_.node(
        "Slice",
        {map, model_.integers({part.begin}), model_.integers({part.end}), model_.integers({channel_axis})});
    // 0: as many images as there are.
    return model_.node("Reshape",
                       {channels, model_.integers({0, part.rows, level.boxes * level.height * level.width})});
  }

  std::string joined(const std::vector<std::string>& levels) {
    const std::string all = model_.node("Concat", levels, {{"axis", std::int64_t{2}}});
    return half() ? model_.node("Cast", {all}, {{"to", number_of(DType::f32)}}) : all;
  }

  void heads(const Node& node) {
    const auto& attributes = node.as<graph::HeadAttributes>();
    std::vector<std::string> offsets, logits;
    for (std::size_t i = 0; i < attributes.levels.size(); ++i) {
      const graph::HeadLevel& level = attributes.levels[i];
      const std::int64_t split = level.boxes * 4, end = level.boxes * (4 + attributes.classes);
      offsets.push_back(part(input(node, i), level, {0, split, 4}));
      logits.push_back(part(input(node, i), level, {split, end, attributes.classes}));
    }
    result_ = {joined(offsets), joined(logits)};
  }

  Model& model_;
  const graph::Graph& graph_;
  const TensorMap& parameters_;
  const ExportOptions& options_;
  std::vector<std::string> values_;  // of each node
  NetworkValues result_;
};

}  // namespace

NetworkValues append_network(Model& model, const graph::Graph& graph, const TensorMap& parameters,
                             const ExportOptions& options) {
  return NetworkWriter(model, graph, parameters, options).append();
}

Dimension batch_dimension(const ExportOptions& options) {
  if (options.batch) return {*options.batch};
  return {.size = 0, .name = "batch"};
}

}  // namespace ssd::onnx
