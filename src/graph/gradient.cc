#include "graph/gradient.h"

#include <cassert>
#include <map>
#include <optional>

#include "base/error.h"

namespace ssd::graph {
namespace {

// The gradients known so far, by value; those that meet at one value are added.
class Adjoints {
 public:
  explicit Adjoints(Graph& graph) : graph_(graph) {}

  std::optional<Value> find(Value value) const {
    const auto found = known_.find(value);
    return found == known_.end() ? std::nullopt : std::optional(found->second);
  }

  void accumulate(Value value, Value gradient) {
    if (!(graph_.type(value) == graph_.type(gradient)))
      throw Error("gradient of '{}': got {} from '{}', expected {}", graph_.node(value).name,
                  to_string(graph_.type(gradient)), graph_.node(gradient).name,
                  to_string(graph_.type(value)));
    const auto [place, first] = known_.try_emplace(value, gradient);
    if (!first) {
      const std::string name = graph_.node(value).name + "/grad_sum";
      place->second = {graph_.append(Kind::add, name, {place->second, gradient})};
    }
  }

 private:
  Graph& graph_;
  std::map<Value, Value> known_;
};

// Which nodes the wanted parameters reach: only their inputs need gradients.
std::vector<bool> reached_from(const Graph& graph, const std::vector<Value>& parameters) {
  std::vector<bool> reached(graph.nodes().size());
  for (const Value parameter : parameters) reached[parameter.node] = true;
  for (std::size_t i = 0; i < reached.size(); ++i)
    for (const Value input : graph.nodes()[i].inputs) reached[i] = reached[i] || reached[input.node];
  return reached;
}

struct Pass {
  Graph& graph;
  Adjoints& adjoints;
  const std::vector<bool>& needed;

  bool needs(Value value) const { return needed[value.node]; }

  void convolution(const Node& node, Value dy) {
    auto attributes = node.as<ConvolutionAttributes>();
    const Value x = node.inputs[0], weight = node.inputs[1];
    attributes.input = graph.type(x).shape;
    attributes.bias = node.inputs.size() > 2;
    // The weight's gradient first: its memory is then still warm from the backward pass above it.
    const int by_weight =
        graph.append(Kind::convolution_grad_weight, node.name + "/grad_weight", {x, dy}, attributes);
    adjoints.accumulate(weight, {by_weight, 0});
    if (attributes.bias) adjoints.accumulate(node.inputs[2], {by_weight, 1});
    if (!needs(x)) return;
    attributes.output = graph.type(x).dtype;
    const int by_input =
        graph.append(Kind::convolution_grad_input, node.name + "/grad_input", {dy, weight}, attributes);
    adjoints.accumulate(x, {by_input});
  }

  void batch_norm(const Node& node, int id, Value dy) {
    const auto& attributes = node.as<BatchNormAttributes>();
    const int grad =
        graph.append(Kind::batch_norm_grad, node.name + "/grad",
                     {dy, node.inputs[0], {id, 0}, node.inputs[1], {id, 1}, {id, 2}}, attributes);
    for (int i = 0; i < 3; ++i) adjoints.accumulate(node.inputs[i], {grad, i});
    if (attributes.residual) adjoints.accumulate(node.inputs[3], {grad, 3});
  }

  void max_pool(const Node& node, int id, Value dy) {
    const int grad = graph.append(Kind::max_pool_grad, node.name + "/grad", {dy, node.inputs[0], {id, 0}},
                                  node.as<PoolAttributes>());
    adjoints.accumulate(node.inputs[0], {grad});
  }

  void head_view(const Node& node, int id) {
    const auto dloc = adjoints.find({id, 0}), dconf = adjoints.find({id, 1});
    if (!dloc || !dconf)
      throw Error("gradient of '{}': expected both offsets and logits to be used", node.name);
    const int grad =
        graph.append(Kind::head_view_grad, node.name + "/grad", {*dloc, *dconf}, node.as<HeadAttributes>());
    for (int i = 0; i < static_cast<int>(node.inputs.size()); ++i)
      adjoints.accumulate(node.inputs[i], {grad, i});
  }

  void multibox_loss(const Node& node, int id, Value dloss) {
    std::vector<Value> inputs{dloss};
    inputs.insert(inputs.end(), node.inputs.begin(), node.inputs.end());
    inputs.push_back({id, 3});
    inputs.push_back({id, 4});
    const int grad = graph.append(Kind::multibox_loss_grad, node.name + "/grad", std::move(inputs),
                                  node.as<LossAttributes>());
    adjoints.accumulate(node.inputs[0], {grad, 0});
    adjoints.accumulate(node.inputs[1], {grad, 1});
  }

  // Appends the gradients of node `id` with respect to its inputs.
  void visit(int id) {
    const Node node = graph.nodes()[id];  // a copy: appending moves the nodes
    const std::optional<Value> first = adjoints.find({id, 0});
    switch (node.kind) {
      case Kind::input:
      case Kind::parameter:
        return;
      case Kind::convolution:
        if (first) convolution(node, *first);
        return;
      case Kind::batch_norm:
        if (first) batch_norm(node, id, *first);
        return;
      case Kind::max_pool:
        if (first) max_pool(node, id, *first);
        return;
      case Kind::add:
        if (!first) return;
        adjoints.accumulate(node.inputs[0], *first);
        adjoints.accumulate(node.inputs[1], *first);
        return;
      case Kind::head_view:
        return head_view(node, id);
      case Kind::multibox_loss:
        if (first) multibox_loss(node, id, *first);
        return;
      case Kind::normalize:
      case Kind::fused_convolution:
      case Kind::convolution_grad_input:
      case Kind::convolution_grad_weight:
      case Kind::batch_norm_grad:
      case Kind::max_pool_grad:
      case Kind::head_view_grad:
      case Kind::multibox_loss_grad:
      case Kind::running_statistics:
      case Kind::update:
      case Kind::squared_norm:
      case Kind::all_reduce:
        if (first) throw Error("gradient of '{}': {} has no gradient", node.name, name_of(node.kind));
        return;
    }
  }
};

}  // namespace

std::vector<Value> gradients(Graph& graph, Value loss, Value seed, const std::vector<Value>& parameters) {
  const std::vector<bool> needed = reached_from(graph, parameters);
  Adjoints adjoints(graph);
  adjoints.accumulate(loss, seed);
  Pass pass{graph, adjoints, needed};
  for (int id = loss.node; id >= 0; --id)
    if (needed[id]) pass.visit(id);
  std::vector<Value> result;
  for (const Value parameter : parameters) {
    const std::optional<Value> gradient = adjoints.find(parameter);
    if (!gradient)
      throw Error("gradient of '{}': the loss does not depend on it", graph.node(parameter).name);
    result.push_back(*gradient);
  }
  return result;
}

}  // namespace ssd::graph
