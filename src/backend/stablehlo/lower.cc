#include "backend/stablehlo/lower.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cassert>

#include "backend/stablehlo/node.h"
#include "backend/stablehlo/pointwise.h"

namespace ssd::stablehlo {
namespace {

using graph::Graph;
using graph::Kind;
using graph::Node;

std::vector<Bound> bound(const std::vector<Term>& terms) { return {terms.begin(), terms.end()}; }

std::vector<Bound> results_of(const NodeSite& site) {
  switch (site.node.kind) {
    case Kind::input:
    case Kind::parameter:
      break;  // arguments
    case Kind::normalize:
      return {normalize(site)};
    case Kind::convolution:
    case Kind::fused_convolution:
      return {convolution(site)};
    case Kind::convolution_grad_input:
      return {convolution_grad_input(site)};
    case Kind::convolution_grad_weight:
      return bound(convolution_grad_weight(site));
    case Kind::batch_norm:
      return batch_norm(site);
    case Kind::batch_norm_grad:
      return batch_norm_grad(site);
    case Kind::max_pool:
      return {max_pool(site)};
    case Kind::max_pool_grad:
      return {max_pool_grad(site)};
    case Kind::add:
      return {site.body.add(site.inputs[0], site.inputs[1])};
    case Kind::head_view:
      return head_view(site);
    case Kind::head_view_grad:
      return head_view_grad(site);
    case Kind::multibox_loss:
      return bound(multibox_loss(site));
    case Kind::multibox_loss_grad:
      return multibox_loss_grad(site);
    case Kind::running_statistics:
      return bound(running_statistics(site));
    case Kind::update:
      return bound(update(site));
    case Kind::squared_norm:
      return {squared_norm(site)};
    case Kind::all_reduce:
      return bound(all_reduce(site));
  }
  assert(false && "arguments are no operations");
  return {};
}

// Which result replaces a parameter; -1 for those that stay.
std::vector<int> updating_results(const Graph& graph) {
  std::vector<int> results(graph.nodes().size(), -1);
  int next = static_cast<int>(graph.outputs().size());
  for (const graph::Update& update : graph.updates()) results[update.parameter] = next++;
  return results;
}

// The channels of each convolution's result: where only head_view uses it, as many as that wants.
std::vector<std::int64_t> result_channels(const Graph& graph) {
  const auto& nodes = graph.nodes();
  std::vector<std::int64_t> channels(nodes.size());
  std::vector<bool> shared(nodes.size());
  for (const graph::Output& output : graph.outputs()) shared[output.value.node] = true;
  for (const Node& node : nodes)
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      const int made_by = node.inputs[i].node;
      if (node.kind != Kind::head_view) {
        shared[made_by] = true;
        continue;
      }
      const auto& attributes = node.as<graph::HeadAttributes>();
      channels[made_by] = head_channels(attributes.levels[i].boxes, attributes.classes);
    }
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const bool convolution = nodes[i].kind == Kind::convolution || nodes[i].kind == Kind::fused_convolution;
    if (convolution && (shared[i] || channels[i] == 0)) channels[i] = nodes[i].outputs[0].shape[3];
  }
  return channels;
}

class Lowering {
 public:
  Lowering(const Graph& graph, const LowerOptions& options)
      : graph_(graph), options_(options), values_(graph.nodes().size()), channels_(result_channels(graph)) {}

  std::string module() {
    const std::string arguments = this->arguments();
    for (std::size_t i = 0; i < graph_.nodes().size(); ++i) operations(i);
    const std::vector<Term> results = this->results();
    std::vector<std::string> types;
    for (const Term& result : results) types.push_back(type_of(result));
    body_.at("");
    body_.finish(results);
    return fmt::format(
        "module @singleshot attributes {{mhlo.num_partitions = 1 : i32, mhlo.num_replicas = {} : i32}} {{\n"
        "  func.func public @main({}) -> ({}) {{\n{}  }}\n}}\n",
        graph_.replicas, arguments, fmt::join(types, ", "), body_.text());
  }

 private:
  // Binds inputs and parameters to the function's arguments; their declarations.
  std::string arguments() {
    const std::vector<int> updated_by = updating_results(graph_);
    std::vector<int> nodes = graph_.inputs();
    if (options_.values == nullptr)
      nodes.insert(nodes.end(), graph_.parameters().begin(), graph_.parameters().end());
    else
      bind_constants();
    std::vector<std::string> declarations;
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      const Node& node = graph_.nodes()[nodes[i]];
      const DType dtype = options_.narrow.contains(node.name) ? DType::bf16 : node.outputs[0].dtype;
      const Term term = body_.argument(i, element_of(dtype), node.outputs[0].shape);
      const int result = updated_by[nodes[i]];
      declarations.push_back(fmt::format(
          "\n      {}: {}{} loc({})", term.name, type_of(term),
          result < 0 ? "" : fmt::format(" {{tf.aliasing_output = {} : i32}}", result), quoted(node.name)));
      values_[nodes[i]] = {Bound(term)};
    }
    return fmt::format("{}", fmt::join(declarations, ", "));
  }

  void bind_constants() {
    assert(graph_.updates().empty());
    for (const int index : graph_.parameters()) {
      const Node& node = graph_.nodes()[index];
      const Tensor& value = options_.values->at(node.name);
      assert((graph::TensorType{value.dtype(), value.shape()} == node.outputs[0]));
      body_.at(node.name);
      values_[index] = {Bound(body_.elements(value))};
    }
  }

  void operations(std::size_t index) {
    const Node& node = graph_.nodes()[index];
    if (node.kind == Kind::input || node.kind == Kind::parameter) return;
    body_.at(node.name);
    std::vector<Bound> bound;
    std::vector<Term> inputs;
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      Bound& input = values_[node.inputs[i].node][node.inputs[i].output];
      inputs.push_back(takes_parts(node.kind, i) ? input.whole : whole(input));
      bound.push_back(input);
    }
    values_[index] = results_of({body_, graph_, node, inputs, bound, options_, channels_[index]});
  }

  const Term& whole(Bound& value) {
    if (value.joined()) return value.whole;
    if (value.gradient)
      value.whole = body_.convert(whole_gradient(body_, *value.gradient), value.whole.element);
    else
      value.whole = join_classes(body_, value.levels, value.whole.shape[2]);
    return value.whole;
  }

  std::vector<Term> results() {
    std::vector<Term> results;
    for (const graph::Output& output : graph_.outputs())
      results.push_back(whole(values_[output.value.node][output.value.output]));
    for (const graph::Update& update : graph_.updates())
      results.push_back(whole(values_[update.value.node][update.value.output]));
    return results;
  }

  const Graph& graph_;
  const LowerOptions& options_;
  Body body_;
  std::vector<std::vector<Bound>> values_;
  const std::vector<std::int64_t> channels_;
};

}  // namespace

bool takes_parts(Kind kind, std::size_t index) {
  switch (kind) {
    case Kind::multibox_loss:
    case Kind::head_view_grad:
    case Kind::convolution_grad_weight:
      return index == 1;
    case Kind::multibox_loss_grad:
      return index == 2;
    case Kind::convolution_grad_input:
      return index == 0;
    case Kind::input:
    case Kind::parameter:
    case Kind::normalize:
    case Kind::convolution:
    case Kind::fused_convolution:
    case Kind::batch_norm:
    case Kind::batch_norm_grad:
    case Kind::max_pool:
    case Kind::max_pool_grad:
    case Kind::add:
    case Kind::head_view:
    case Kind::running_statistics:
    case Kind::update:
    case Kind::squared_norm:
    case Kind::all_reduce:
      return false;
  }
  return false;
}

LowerOptions options_for(Target target) {
  switch (target) {
    case Target::tpu:
      return {};
    case Target::gpu:
      return {.mixed_convolutions = false,
              .pointwise_moments = false,
              .scatter_to_maxima = false,
              .relu_from_result = false};
  }
  return {};
}

std::string lower(const Graph& graph, const LowerOptions& options) {
  return Lowering(graph, options).module();
}

}  // namespace ssd::stablehlo
