// The graph: a static, typed, acyclic description of one training step or one inference pass.
//
// Nodes stand in topological order (a node is appended after its inputs). Activations are NHWC, convolution
// weights OIHW, batch-norm vectors (C). Backends choose their own layouts; what they compute is defined by
// the comments on Kind and, executably, by the float64 interpreter in interpreter.h.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/dtype.h"
#include "base/shape.h"
#include "graph/update_rule.h"

namespace ssd::graph {

struct TensorType {
  DType dtype = DType::f32;
  Shape shape;

  bool operator==(const TensorType&) const = default;
};
std::string to_string(const TensorType& type);  // "f32 (8, 38, 38, 256)"

// Output `output` of node `node`.
struct Value {
  int node = -1;
  int output = 0;

  bool operator==(const Value&) const = default;
  auto operator<=>(const Value&) const = default;
};

// N images, H x W cells, C channels, D default boxes, G ground-truth boxes an image (padded), K classes with
// background. `x` is f32 or bf16 where it says "activation"; parameters, statistics, loss and update are f32.
enum class Kind {
  // Fed by the caller at each step.
  input,
  // Kept by the program between steps: weights, momentum, running statistics, default boxes.
  parameter,
  // (images u8 (N,H,W,3)) -> activation (N,H,W,3): (x / 255 - mean) / std.
  normalize,
  // (x (N,H,W,I), weight (O,I,R,S)[, bias (O)]) -> activation (N,H',W',O).
  convolution,
  // (dy, weight) -> gradient of the convolution's x.
  convolution_grad_input,
  // (x, dy) -> gradient of the weight, f32 (O,I,R,S)[, and of the bias, f32 (O)].
  convolution_grad_weight,
  // (x, weight, bias[, residual]) -> activation: convolution + bias [+ residual] [, ReLU]. Inference only:
  // the weight and the bias hold a folded batch norm. Quantised, it rounds operands and result to 8 bits.
  fused_convolution,
  // (x (N,H,W,C), scale (C), shift (C)[, residual (N,H,W,C)]) -> y (N,H,W,C), mean (C), variance (C, biased).
  // Batch norm in training mode (Ioffe and Szegedy 2015) [+ residual] [, ReLU].
  batch_norm,
  // (dy, x, y, scale, mean, variance) -> dx, dscale (C), dshift (C)[, dresidual].
  batch_norm_grad,
  // (x) -> the maximum over windows; padding never wins.
  max_pool,
  // (dy, x, y) -> dx; the first maximum of a window (row-major) takes its gradient.
  max_pool_grad,
  // (a, b) -> a + b, for gradients that meet.
  add,
  // (one map a level (N,H,W,n*(4+K))) -> loc f32 (N,D,4), conf f32 (N,D,K). A map's channels are n*4 offsets,
  // then n*K logits, coordinate (class) outermost; default boxes run over levels, boxes of a cell, rows,
  // columns.
  head_view,
  // (dloc, dconf) -> one gradient a level.
  head_view_grad,
  // (loc, conf, match i32 (N,D), boxes f32 (N,G,4) cxcywh, labels i32 (N,G), default boxes (D,4) cxcywh)
  //   -> loss (), loc_loss (N), conf_loss (N), positives i32 (N), chosen u8 (N,D).
  // Liu et al. 2016, section 2.2: smooth L1 over positives plus cross entropy over positives and hard
  // negatives, each part times its weight, divided by the positives of the image, averaged over images. An
  // image without positives has a loss of 0, or that of its background_negatives. The cross entropy, also
  // where negatives are ranked by it, is with targets smoothed as LossAttributes says. loc_loss and conf_loss
  // are sums, not yet weighted or divided. `chosen` is how often a default box's cross entropy counts
  // (positive + hard negative: 0, 1 or 2).
  multibox_loss,
  // (dloss (), loc, conf, match, boxes, labels, default boxes, positives, chosen) -> dloc, dconf.
  multibox_loss_grad,
  // (running_mean, running_variance, mean, variance (biased)) -> both running statistics after the step.
  running_statistics,
  // (weight, gradient, a tensor a slot, learning rate ()[, number of the step ()][, sum of the squares of all
  // gradients ()]) -> weight and slots after the step, by the optimizer's rule (update_rule.h). The last two
  // are there where the rule uses them.
  update,
  // (any f32 tensors) -> f32 (): the sum of the squares of all their elements, in an order that does not
  // depend on threads.
  squared_norm,
  // (any tensors) -> each averaged over all replicas.
  all_reduce,
};
std::string_view name_of(Kind kind);

struct InputAttributes {
  bool sharded = true;  // each replica takes its share of dimension 0; otherwise all take the same tensor
};
struct NormalizeAttributes {
  std::array<double, 3> mean{};
  std::array<double, 3> standard_deviation{};
  DType dtype = DType::f32;  // of the output
};
// Rounding to 8 bits: to the nearest of 0 .. 255 times `scale`, or of -128 .. 127 times it with a sign.
struct Rounding {
  double scale = 0;  // 0: values are not rounded
  bool has_sign = false;

  explicit operator bool() const { return scale != 0; }
  bool operator==(const Rounding&) const = default;
};
// Also of convolution_grad_input (where `input` is the shape to make), _grad_weight and fused_convolution.
struct ConvolutionAttributes {
  std::int64_t stride = 1;
  std::int64_t padding = 0;
  std::int64_t kernel = 1;     // R = S
  DType compute = DType::f32;  // operands are rounded to it; products are summed in f32
  DType output = DType::f32;
  bool bias = false;  // grad_weight: also make the bias gradient
  bool relu = false;  // fused_convolution
  Shape input;        // grad_input
  // fused_convolution: what x is rounded to before it is used, and the result when all is done. Where x is
  // rounded the weight is too: to the nearest of -127 .. 127 times the largest magnitude of its output
  // channel over 127. A backend may hold rounded values in 8 bits.
  Rounding x_rounding, y_rounding;
};
struct BatchNormAttributes {
  double epsilon = 1e-5;
  bool relu = false;
  bool residual = false;
  int group = 1;  // replicas that share statistics: consecutive groups of this size
};
struct PoolAttributes {
  std::int64_t window = 3;
  std::int64_t stride = 2;
  std::int64_t padding = 1;
};
struct HeadLevel {
  std::int64_t height = 0, width = 0, boxes = 0;  // boxes: default boxes a cell
  bool operator==(const HeadLevel&) const = default;
};
struct HeadAttributes {
  std::vector<HeadLevel> levels;
  std::int64_t classes = 81;
};
struct LossAttributes {
  double scale_xy = 1;  // what offsets are multiplied by when they are decoded
  double scale_wh = 1;
  int negatives_per_positive = 0;
  // s of K classes: the target is (1 - s) * one-hot + s / K (Szegedy et al. 2016, "Rethinking the Inception
  // Architecture", section 7), as PyTorch's cross_entropy has it.
  double label_smoothing = 0;
  double loc_weight = 1, conf_weight = 1;  // of the two parts in the loss
  int background_negatives = 0;            // hard negatives of an image without positives, divided by 1

  std::int64_t negatives(std::int64_t positives) const {
    return positives > 0 ? negatives_per_positive * positives : background_negatives;
  }
  // What an image's sums are multiplied by, before the mean over images.
  double image_weight(std::int64_t positives) const {
    return positives > 0 ? 1.0 / static_cast<double>(positives) : background_negatives > 0 ? 1.0 : 0.0;
  }
};
struct RunningAttributes {
  double momentum = 0.1;   // running = (1 - momentum) * running + momentum * batch
  std::int64_t count = 0;  // values a channel, to make the variance unbiased (but not for one value)
};
struct UpdateAttributes {
  UpdateRule rule;
};
using Attributes = std::variant<std::monostate, InputAttributes, NormalizeAttributes, ConvolutionAttributes,
                                BatchNormAttributes, PoolAttributes, HeadAttributes, LossAttributes,
                                RunningAttributes, UpdateAttributes>;

struct Node {
  Kind kind = Kind::input;
  std::string name;  // unique for inputs and parameters; elsewhere for people: "layer1.0.conv1"
  std::vector<Value> inputs;
  std::vector<TensorType> outputs;
  Attributes attributes;

  template <typename T>
  const T& as() const {
    return std::get<T>(attributes);
  }
};

// What the caller gets back after a step.
struct Output {
  std::string name;
  Value value;
  bool sharded = false;  // replicas' results are joined along dimension 0; otherwise replica 0's is taken
};

// After a step, `parameter` (a parameter node) holds `value`.
struct Update {
  int parameter = -1;
  Value value;
};

class Graph {
 public:
  // Appends a node; its output types are inferred from the inputs. Throws Error, naming the node and the
  // types, when they do not fit (infer.h).
  int append(Kind kind, std::string name, std::vector<Value> inputs, Attributes attributes = {});

  // Feeds and state; `type` is a replica's.
  Value input(std::string name, TensorType type, bool sharded = true);
  Value parameter(std::string name, TensorType type);

  void output(std::string name, Value value, bool sharded) {
    outputs_.push_back({std::move(name), value, sharded});
  }
  // Throws Error when the types differ.
  void update(Value parameter, Value value);

  const std::vector<Node>& nodes() const { return nodes_; }
  const Node& node(Value value) const { return nodes_[value.node]; }
  const TensorType& type(Value value) const { return nodes_[value.node].outputs[value.output]; }
  const std::vector<Output>& outputs() const { return outputs_; }
  const std::vector<Update>& updates() const { return updates_; }

  // Node numbers of inputs and of parameters, in order of their making.
  const std::vector<int>& inputs() const { return inputs_; }
  const std::vector<int>& parameters() const { return parameters_; }

  int replicas = 1;  // copies that run in step; all_reduce averages over them

 private:
  Value leaf(Kind kind, std::string name, TensorType type, Attributes attributes);

  std::vector<Node> nodes_;
  std::vector<Output> outputs_;
  std::vector<Update> updates_;
  std::vector<int> inputs_;
  std::vector<int> parameters_;
};

// One line a node: %12 = convolution(%3, %11) stride 2, padding 1 : f32 (8, 38, 38, 256)  # layer1.0.conv1
std::string to_string(const Graph& graph);

}  // namespace ssd::graph
