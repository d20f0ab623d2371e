#include "backend/cpu/layout.h"

#include <algorithm>
#include <cstring>

#include "backend/cpu/bf16_values.h"
#include "backend/cpu/rounding.h"

namespace ssd::cpu {
namespace {

using graph::Graph;
using graph::Kind;
using graph::Node;
using graph::Value;

constexpr std::int64_t thin = 4;  // at most so many input channels make a thin weight

std::int64_t round_up(std::int64_t value, std::int64_t unit) { return (value + unit - 1) / unit * unit; }

// Calls body(index in the graph's order, index in the layout) for every element. All forms but dense hold
// f32.
template <typename Body>
void for_each_element(const Layout& layout, const Body& body) {
  const Shape& s = layout.type.shape;
  const std::int64_t block = layout.block;
  if (layout.form == Form::weight || layout.form == Form::thin_weight) {
    const std::int64_t in_blocks = layout.blocks(s[1]), area = s[2] * s[3];
    std::int64_t from = 0;
    for (std::int64_t o = 0; o < s[0]; ++o)
      for (std::int64_t i = 0; i < s[1]; ++i)
        for (std::int64_t k = 0; k < area; ++k, ++from) {
          const std::int64_t to =
              layout.form == Form::weight
                  ? ((((o / block) * in_blocks + i / block) * area + k) * block + i % block) * block +
                        o % block
                  : (((o / block) * area + k) * s[1] + i) * block + o % block;
          body(from, to);
        }
    return;
  }
  const std::int64_t cells = s[1] * s[2], channels = s[3], blocks = layout.blocks(channels);
  for (std::int64_t n = 0; n < s[0]; ++n)
    for (std::int64_t cell = 0; cell < cells; ++cell)
      for (std::int64_t c = 0; c < channels; ++c) {
        const std::int64_t from = (n * cells + cell) * channels + c;
        const std::int64_t to = layout.form == Form::planar
                                    ? (n * channels + c) * cells + cell
                                    : ((n * blocks + c / block) * cells + cell) * block + c % block;
        body(from, to);
      }
}

// Which values are convolution weights or stand in for one.
class WeightRoles {
 public:
  explicit WeightRoles(const Graph& graph) : graph_(graph) {
    for (const Node& node : graph.nodes()) roles_.emplace_back(node.outputs.size());
    while (sweep()) {
    }
  }
  bool is_weight(Value value) const { return roles_[value.node][value.output]; }

 private:
  void mark(Value value) {
    if (is_weight(value)) return;
    roles_[value.node][value.output] = true;
    changed_ = true;
  }
  // What one of them is, all are.
  void mark_alike(const std::vector<Value>& values) {
    bool any = false;
    for (const Value value : values) any = any || is_weight(value);
    if (!any) return;
    for (const Value value : values) mark(value);
  }
  void visit(const Node& node, int id) {
    switch (node.kind) {
      case Kind::convolution:
      case Kind::fused_convolution:
      case Kind::convolution_grad_input:
        return mark(node.inputs[1]);
      case Kind::convolution_grad_weight:
        return mark({id, 0});
      case Kind::add:
        return mark_alike({node.inputs[0], node.inputs[1], {id, 0}});
      case Kind::update:
        return mark_alike(tensors_of_update(node, id));
      case Kind::all_reduce:
        for (int i = 0; i < static_cast<int>(node.inputs.size()); ++i) mark_alike({node.inputs[i], {id, i}});
        return;
      case Kind::input:
      case Kind::parameter:
      case Kind::normalize:
      case Kind::batch_norm:
      case Kind::batch_norm_grad:
      case Kind::max_pool:
      case Kind::max_pool_grad:
      case Kind::head_view:
      case Kind::head_view_grad:
      case Kind::multibox_loss:
      case Kind::multibox_loss_grad:
      case Kind::running_statistics:
      case Kind::squared_norm:
        return;
    }
  }
  // Weight, gradient and slots before the step, weight and slots after it.
  static std::vector<Value> tensors_of_update(const Node& node, int id) {
    const int outputs = static_cast<int>(node.outputs.size());
    std::vector<Value> values(node.inputs.begin(), node.inputs.begin() + outputs + 1);
    for (int i = 0; i < outputs; ++i) values.push_back({id, i});
    return values;
  }
  bool sweep() {
    changed_ = false;
    for (int id = 0; id < static_cast<int>(roles_.size()); ++id) visit(graph_.nodes()[id], id);
    for (const graph::Update& update : graph_.updates()) mark_alike({{update.parameter, 0}, update.value});
    return changed_;
  }

  const Graph& graph_;
  std::vector<std::vector<bool>> roles_;
  bool changed_ = false;
};

// Only convolutions take images of few channels plane by plane.
bool feeds_convolutions_only(const Graph& graph, Value value) {
  for (const Node& node : graph.nodes())
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      if (!(node.inputs[i] == value)) continue;
      const bool image = i == 0 && (node.kind == Kind::convolution || node.kind == Kind::fused_convolution ||
                                    node.kind == Kind::convolution_grad_weight);
      if (!image) return false;
    }
  for (const graph::Output& output : graph.outputs())
    if (output.value == value) return false;
  return true;
}

}  // namespace

std::int64_t Layout::elements() const {
  const Shape& s = type.shape;
  switch (form) {
    case Form::dense:
      return s.rank() == 1 ? round_up(s[0], vector_padding) : s.elements();
    case Form::planar:
    case Form::channels_last:
      return s.elements();
    case Form::blocked:
      return s[0] * s[1] * s[2] * round_up(s[3], block);
    case Form::weight:
      return round_up(s[0], block) * round_up(s[1], block) * s[2] * s[3];
    case Form::thin_weight:
      return round_up(s[0], block) * s[1] * s[2] * s[3];
  }
  return 0;
}

void pack(const Layout& layout, const std::byte* dense, std::byte* laid_out) {
  const std::size_t bytes =
      static_cast<std::size_t>(layout.type.shape.elements()) * size_of(layout.type.dtype);
  const auto* values = reinterpret_cast<const float*>(dense);
  if (layout.rounding) return round_to_bytes(layout.rounding, {values, bytes / sizeof(float)}, laid_out);
  if (layout.bf16 && layout.type.dtype == DType::f32) {
    auto* rounded = reinterpret_cast<std::uint16_t*>(laid_out);
    std::transform(values, values + bytes / sizeof(float), rounded, float_to_bf16);
    return;
  }
  if (layout.form == Form::dense || layout.form == Form::channels_last) {
    std::memcpy(laid_out, dense, bytes);
    std::memset(laid_out + bytes, 0, layout.bytes() - bytes);
    return;
  }
  if (layout.bytes() != bytes) std::memset(laid_out, 0, layout.bytes());
  auto* to = reinterpret_cast<float*>(laid_out);
  for_each_element(layout, [&](std::int64_t a, std::int64_t b) { to[b] = values[a]; });
}

void unpack(const Layout& layout, const std::byte* laid_out, std::byte* dense) {
  const auto count = static_cast<std::size_t>(layout.type.shape.elements());
  if (layout.rounding) {
    values_of_bytes(layout.rounding, laid_out, {reinterpret_cast<float*>(dense), count});
    return;
  }
  if (layout.bf16 && layout.type.dtype == DType::f32) {
    const auto* held = reinterpret_cast<const std::uint16_t*>(laid_out);
    std::transform(held, held + count, reinterpret_cast<float*>(dense), bf16_to_float);
    return;
  }
  if (layout.form == Form::dense || layout.form == Form::channels_last) {
    std::memcpy(dense, laid_out, count * size_of(layout.type.dtype));
    return;
  }
  const auto* from = reinterpret_cast<const float*>(laid_out);
  auto* to = reinterpret_cast<float*>(dense);
  for_each_element(layout, [&](std::int64_t a, std::int64_t b) { to[a] = from[b]; });
}

std::vector<std::vector<Layout>> layouts_of(const Graph& graph, std::int64_t block) {
  const WeightRoles roles(graph);
  const std::vector<Rounded> rounded = rounded_values(graph);
  const Bf16Values bf16(graph);
  std::vector<std::vector<Layout>> layouts;
  for (int id = 0; id < static_cast<int>(graph.nodes().size()); ++id) {
    const Node& node = graph.nodes()[id];
    layouts.emplace_back();
    for (int i = 0; i < static_cast<int>(node.outputs.size()); ++i) {
      const graph::TensorType& type = node.outputs[i];
      Layout layout{Form::dense, type, block, rounded[id].rounding};
      if (type.shape.rank() == 4 && (type.dtype == DType::f32 || type.dtype == DType::bf16)) {
        if (roles.is_weight({id, i}))
          layout.form = type.shape[1] <= thin ? Form::thin_weight : Form::weight;
        else if (rounded[id].channels_last || bf16.channels_last({id, i}))
          layout.form = Form::channels_last;
        else if (node.kind == Kind::normalize && feeds_convolutions_only(graph, {id, i}))
          layout.form = Form::planar;
        else
          layout.form = Form::blocked;
        layout.bf16 = layout.form == Form::channels_last && bf16.held({id, i});
      }
      layouts.back().push_back(layout);
    }
  }
  return layouts;
}

}  // namespace ssd::cpu
