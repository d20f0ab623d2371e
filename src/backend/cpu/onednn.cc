#include "backend/cpu/onednn.h"

#include <cstring>
#include <oneapi/dnnl/dnnl.hpp>
#include <optional>

#include "backend/cpu/rounding.h"
#include "base/error.h"
#include "base/tensor.h"

namespace ssd::cpu {
namespace {

using dnnl::memory;
using graph::ConvolutionAttributes;
using graph::Kind;

// oneDNN's objects are handles to shared, immutable state; one engine and stream serve the process.
const dnnl::engine& engine() {
  static const dnnl::engine cpu(dnnl::engine::kind::cpu, 0);
  return cpu;
}
dnnl::stream& stream() {
  static dnnl::stream in_order(engine());
  return in_order;
}

memory::data_type type_of(const graph::Rounding& rounding) {
  return rounding.has_sign ? memory::data_type::s8 : memory::data_type::u8;
}
memory::data_type type_of(const Layout& layout) {
  if (layout.rounding) return type_of(layout.rounding);
  return layout.bf16 ? memory::data_type::bf16 : memory::data_type::f32;
}

memory::desc desc_of(const Layout& layout) {
  using Tag = memory::format_tag;
  const Shape& s = layout.type.shape;
  const bool wide = layout.block == 16;
  const auto make = [&](memory::dims dims, Tag tag) { return memory::desc(dims, type_of(layout), tag); };
  switch (layout.form) {
    case Form::dense:
      return make({s.elements()}, Tag::a);
    case Form::planar:
      return make({s[0], s[3], s[1], s[2]}, Tag::nchw);
    case Form::blocked:
      return make({s[0], s[3], s[1], s[2]}, wide ? Tag::nChw16c : Tag::nChw8c);
    case Form::weight:
      return make({s[0], s[1], s[2], s[3]}, wide ? Tag::OIhw16i16o : Tag::OIhw8i8o);
    case Form::thin_weight:
      return make({s[0], s[1], s[2], s[3]}, wide ? Tag::Ohwi16o : Tag::Ohwi8o);
    case Form::channels_last:
      return make({s[0], s[3], s[1], s[2]}, Tag::nhwc);
  }
  return {};
}

memory::desc any_layout(const memory::desc& desc) {
  return memory::desc(desc.get_dims(), desc.get_data_type(), memory::format_tag::any);
}
// Of a weight, in the type that the convolution computes in.
memory::desc operand_of(const memory::desc& weight, const ConvolutionAttributes& a) {
  const auto type = a.compute == DType::bf16 ? memory::data_type::bf16 : weight.get_data_type();
  return memory::desc(weight.get_dims(), type, memory::format_tag::any);
}

// Geometry as oneDNN wants it. x, weight and y are the forward convolution's, whichever way it is computed.
struct Geometry {
  memory::desc x, weight, y;
  memory::desc operand;  // the weight as oneDNN may want it
  std::optional<memory::desc> bias;
  memory::dims strides, dilation, padding;

  Geometry(const ConvolutionAttributes& a, const Layout& x_layout, const Layout& w_layout,
           const Layout& y_layout)
      : x(desc_of(x_layout)),
        weight(desc_of(w_layout)),
        y(desc_of(y_layout)),
        operand(operand_of(weight, a)),
        strides{a.stride, a.stride},
        dilation{0, 0},
        padding{a.padding, a.padding} {}
};

memory::desc vector_desc(std::int64_t count) {
  return memory::desc({count}, memory::data_type::f32, memory::format_tag::a);
}

dnnl::primitive_attr attributes(const dnnl::post_ops& post_ops = {}) {
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  attr.set_post_ops(post_ops);
  return attr;
}

dnnl::convolution_forward::primitive_desc forward_desc(
    const Geometry& g, const dnnl::primitive_attr& attr,
    dnnl::prop_kind kind = dnnl::prop_kind::forward_training) {
  const auto direct = dnnl::algorithm::convolution_direct;
  if (g.bias)
    return {engine(), kind,      direct,     g.x,       g.operand, *g.bias,
            g.y,      g.strides, g.dilation, g.padding, g.padding, attr};
  return {engine(), kind, direct, g.x, g.operand, g.y, g.strides, g.dilation, g.padding, g.padding, attr};
}

// A convolution primitive and its weight, reordered where the primitive wants another layout or type than
// ours: once after it was loaded where it is constant, else in every step.
class OnednnConvolution : public Executor {
 public:
  explicit OnednnConvolution(const Task& task)
      : constant_(task.constant_weight),
        bf16_(task.node->as<ConvolutionAttributes>().compute == DType::bf16) {}

  std::size_t scratch_bytes() const override {
    return primitive_scratch_ + (constant_ ? 0 : reordered_bytes_);
  }
  std::string_view method() const override { return bf16_ ? "bf16" : "direct"; }
  void reload() override { reordered_ = {}; }

 protected:
  // The primitive's scratchpad comes first, then the weight in the primitive's layout.
  void adopt(const dnnl::primitive& primitive, const memory::desc& scratchpad) {
    primitive_ = primitive;
    bind(DNNL_ARG_SCRATCHPAD, scratchpad);
    primitive_scratch_ = rounded(scratchpad.get_size());
  }
  void adopt_weight(int argument, const memory::desc& ours, const memory::desc& theirs) {
    weight_argument_ = argument;
    bind(argument, theirs);
    if (theirs == ours) return;
    reordered_bytes_ = rounded(theirs.get_size());
    ours_ = memory(ours, engine(), nullptr);
    theirs_ = memory(theirs, engine(), nullptr);
    const bool gradient = argument == DNNL_ARG_DIFF_WEIGHTS;
    dnnl::primitive_attr attr;
    attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    reorder_ = gradient
                   ? dnnl::reorder(dnnl::reorder::primitive_desc(engine(), theirs, engine(), ours, attr))
                   : dnnl::reorder(dnnl::reorder::primitive_desc(engine(), ours, engine(), theirs, attr));
  }
  void bind(int argument, const memory::desc& desc) {
    arguments_[argument] = memory(desc, engine(), nullptr);
  }
  bool constant_weight() const { return constant_; }
  void point(int argument, const void* data) {
    arguments_.at(argument).set_data_handle(const_cast<void*>(data));
  }

  // Reads the weight, or writes it when it is the gradient.
  void execute(const Operands& operands, const void* weight) {
    point(DNNL_ARG_SCRATCHPAD, operands.scratch);
    const bool gradient = weight_argument_ == DNNL_ARG_DIFF_WEIGHTS;
    if (reordered_bytes_ == 0) {
      point(weight_argument_, weight);
      primitive_.execute(stream(), arguments_);
      return;
    }
    const bool stale = !constant_ || reordered_.elements() == 0;
    if (constant_ && stale) reordered_ = Tensor(DType::u8, {static_cast<std::int64_t>(reordered_bytes_)});
    std::byte* theirs = constant_ ? reordered_.data() : operands.scratch + primitive_scratch_;
    ours_.set_data_handle(const_cast<void*>(weight));
    theirs_.set_data_handle(theirs);
    point(weight_argument_, theirs);
    if (!gradient && stale) reorder_.execute(stream(), ours_, theirs_);
    primitive_.execute(stream(), arguments_);
    if (gradient) reorder_.execute(stream(), theirs_, ours_);
  }

 private:
  static std::size_t rounded(std::size_t bytes) { return (bytes + 63) / 64 * 64; }

  dnnl::primitive primitive_;
  std::unordered_map<int, memory> arguments_;
  dnnl::reorder reorder_;
  memory ours_, theirs_;
  int weight_argument_ = 0;
  std::size_t primitive_scratch_ = 0, reordered_bytes_ = 0;
  bool constant_, bf16_;
  Tensor reordered_;  // the constant weight as the primitive wants it
};

// convolution and fused_convolution. The residual is summed into the destination, which holds it beforehand.
class Forward final : public OnednnConvolution {
 public:
  explicit Forward(const Task& task)
      : OnednnConvolution(task),
        bias_(task.inputs.size() > 2),
        residual_(task.inputs.size() > 3),
        bytes_(task.out(0).bytes()) {
    const auto& a = task.node->as<ConvolutionAttributes>();
    Geometry g(a, task.in(0), task.in(1), task.out(0));
    if (bias_) g.bias = vector_desc(task.in(2).type.shape[0]);
    dnnl::post_ops post_ops;
    const bool fused = task.node->kind == Kind::fused_convolution;
    if (residual_) post_ops.append_sum();
    if (fused && a.relu) post_ops.append_eltwise(dnnl::algorithm::eltwise_relu, 0, 0);
    const auto kind = fused ? dnnl::prop_kind::forward_inference : dnnl::prop_kind::forward_training;
    const auto desc = forward_desc(g, attributes(post_ops), kind);
    adopt(dnnl::convolution_forward(desc), desc.scratchpad_desc());
    adopt_weight(DNNL_ARG_WEIGHTS, g.weight, desc.weights_desc());
    bind(DNNL_ARG_SRC, g.x);
    bind(DNNL_ARG_DST, g.y);
    if (bias_) bind(DNNL_ARG_BIAS, *g.bias);
  }

  bool in_place(std::size_t, std::size_t input) const override { return residual_ && input == 3; }
  void run(const Operands& operands) override {
    if (residual_ && operands.inputs[3] != operands.outputs[0])
      std::memcpy(operands.outputs[0], operands.inputs[3], bytes_);
    point(DNNL_ARG_SRC, operands.inputs[0]);
    point(DNNL_ARG_DST, operands.outputs[0]);
    if (bias_) point(DNNL_ARG_BIAS, operands.inputs[2]);
    execute(operands, operands.inputs[1]);
  }

 private:
  bool bias_, residual_;
  std::size_t bytes_;
};

// A fused_convolution of 8-bit operands: oneDNN sums their products in s32 and rescales the sum to f32, to
// which it adds bias and residual. The weight is rounded when it is first used after it was loaded.
class QuantisedConvolution final : public OnednnConvolution {
 public:
  explicit QuantisedConvolution(const Task& task)
      : OnednnConvolution(task),
        weight_(task.in(1)),
        residual_(task.inputs.size() > 3),
        bytes_(task.out(0).bytes()),
        x_scale_(static_cast<float>(task.in(0).rounding.scale)),
        y_scale_(static_cast<float>(task.out(0).rounding.scale)),
        weight_scales_(static_cast<std::size_t>(weight_.type.shape[0])) {
    const auto& a = task.node->as<ConvolutionAttributes>();
    const Shape& s = weight_.type.shape;
    Geometry g(a, task.in(0), task.in(1), task.out(0));
    g.bias = vector_desc(s[0]);
    given_ = memory::desc({s[0], s[1], s[2], s[3]}, memory::data_type::s8, memory::format_tag::oihw);
    g.operand = any_layout(given_);
    const auto desc = forward_desc(g, attributes_of(task, a), dnnl::prop_kind::forward_inference);
    kept_ = desc.weights_desc();
    adopt(dnnl::convolution_forward(desc), desc.scratchpad_desc());
    adopt_weight(DNNL_ARG_WEIGHTS, kept_, kept_);
    bind(DNNL_ARG_SRC, g.x);
    bind(DNNL_ARG_DST, g.y);
    bind(DNNL_ARG_BIAS, *g.bias);
    scale(DNNL_ARG_SRC, &x_scale_, 1);
    scale(DNNL_ARG_WEIGHTS, weight_scales_.data(), s[0]);
    if (task.out(0).rounding) scale(DNNL_ARG_DST, &y_scale_, 1);
  }

  std::string_view method() const override { return "8 bits"; }
  bool in_place(std::size_t, std::size_t input) const override { return residual_ && input == 3; }
  void reload() override { bytes_of_weight_ = {}; }
  void run(const Operands& operands) override {
    if (residual_ && operands.inputs[3] != operands.outputs[0])
      std::memcpy(operands.outputs[0], operands.inputs[3], bytes_);
    if (!constant_weight() || bytes_of_weight_.elements() == 0) take_weight(operands.inputs[1]);
    point(DNNL_ARG_SRC, operands.inputs[0]);
    point(DNNL_ARG_DST, operands.outputs[0]);
    point(DNNL_ARG_BIAS, operands.inputs[2]);
    execute(operands, bytes_of_weight_.data());
  }

 private:
  static dnnl::primitive_attr attributes_of(const Task& task, const ConvolutionAttributes& a) {
    dnnl::post_ops post_ops;
    if (task.inputs.size() > 3) {
      const graph::Rounding& residual = task.in(3).rounding;
      post_ops.append_sum(static_cast<float>(residual.scale), 0, type_of(residual));
    }
    if (a.relu) post_ops.append_eltwise(dnnl::algorithm::eltwise_relu, 0, 0);
    dnnl::primitive_attr attr = attributes(post_ops);
    attr.set_scales_mask(DNNL_ARG_SRC, 0);
    attr.set_scales_mask(DNNL_ARG_WEIGHTS, 1);
    if (task.out(0).rounding) attr.set_scales_mask(DNNL_ARG_DST, 0);
    return attr;
  }
  void scale(int argument, const float* scales, std::int64_t count) {
    bind(DNNL_ARG_ATTR_SCALES | argument, vector_desc(count));
    point(DNNL_ARG_ATTR_SCALES | argument, scales);
  }
  void take_weight(const std::byte* weight) {
    Tensor dense(DType::f32, weight_.type.shape);
    Tensor rounded(DType::u8, weight_.type.shape);
    unpack(weight_, weight, dense.data());
    round_weight(dense.as<float>(), weight_scales_, reinterpret_cast<std::int8_t*>(rounded.data()));
    bytes_of_weight_ = Tensor(DType::u8, {static_cast<std::int64_t>(kept_.get_size())});
    memory from(given_, engine(), rounded.data()), to(kept_, engine(), bytes_of_weight_.data());
    dnnl::reorder(from, to).execute(stream(), from, to);
  }

  Layout weight_;
  bool residual_;
  std::size_t bytes_;  // of the result
  float x_scale_, y_scale_;
  std::vector<float> weight_scales_;
  memory::desc given_, kept_;  // the rounded weight in the graph's order and in the primitive's
  Tensor bytes_of_weight_;     // in the primitive's
};

class GradInput final : public OnednnConvolution {
 public:
  explicit GradInput(const Task& task) : OnednnConvolution(task) {
    const auto& a = task.node->as<ConvolutionAttributes>();
    const Geometry g(a, task.out(0), task.in(1), task.in(0));
    const dnnl::convolution_backward_data::primitive_desc desc(
        engine(), dnnl::algorithm::convolution_direct, g.x, g.operand, g.y, g.strides, g.dilation, g.padding,
        g.padding, forward_desc(g, attributes()), attributes());
    adopt(dnnl::convolution_backward_data(desc), desc.scratchpad_desc());
    adopt_weight(DNNL_ARG_WEIGHTS, g.weight, desc.weights_desc());
    bind(DNNL_ARG_DIFF_SRC, g.x);
    bind(DNNL_ARG_DIFF_DST, g.y);
  }

  void run(const Operands& operands) override {
    point(DNNL_ARG_DIFF_DST, operands.inputs[0]);
    point(DNNL_ARG_DIFF_SRC, operands.outputs[0]);
    execute(operands, operands.inputs[1]);
  }
};

class GradWeight final : public OnednnConvolution {
 public:
  explicit GradWeight(const Task& task) : OnednnConvolution(task) {
    const auto& a = task.node->as<ConvolutionAttributes>();
    bias_ = a.bias;
    Geometry g(a, task.in(0), task.out(0), task.in(1));
    if (bias_) g.bias = vector_desc(task.out(1).type.shape[0]);
    const auto hint = forward_desc(g, attributes());
    using Desc = dnnl::convolution_backward_weights::primitive_desc;
    const auto direct = dnnl::algorithm::convolution_direct;
    const Desc desc = bias_ ? Desc(engine(), direct, g.x, any_layout(g.weight), *g.bias, g.y, g.strides,
                                   g.dilation, g.padding, g.padding, hint, attributes())
                            : Desc(engine(), direct, g.x, any_layout(g.weight), g.y, g.strides, g.dilation,
                                   g.padding, g.padding, hint, attributes());
    adopt(dnnl::convolution_backward_weights(desc), desc.scratchpad_desc());
    adopt_weight(DNNL_ARG_DIFF_WEIGHTS, g.weight, desc.diff_weights_desc());
    bind(DNNL_ARG_SRC, g.x);
    bind(DNNL_ARG_DIFF_DST, g.y);
    if (bias_) bind(DNNL_ARG_DIFF_BIAS, *g.bias);
  }

  void run(const Operands& operands) override {
    point(DNNL_ARG_SRC, operands.inputs[0]);
    point(DNNL_ARG_DIFF_DST, operands.inputs[1]);
    if (bias_) point(DNNL_ARG_DIFF_BIAS, operands.outputs[1]);
    execute(operands, operands.outputs[0]);
  }

 private:
  bool bias_ = false;
};

}  // namespace

std::unique_ptr<Executor> make_onednn_convolution(const Task& task) try {
  switch (task.node->kind) {
    case Kind::convolution_grad_input:
      return std::make_unique<GradInput>(task);
    case Kind::convolution_grad_weight:
      return std::make_unique<GradWeight>(task);
    default:  // the two forward kinds
      if (!task.in(0).rounding) return std::make_unique<Forward>(task);
      return std::make_unique<QuantisedConvolution>(task);
  }
} catch (const dnnl::error& error) {
  throw Error("{} '{}': oneDNN refuses: {} (status {}); report it with `singleshot devices`",
              graph::name_of(task.node->kind), task.node->name, error.what(), static_cast<int>(error.status));
}

}  // namespace ssd::cpu
