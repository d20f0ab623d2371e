// How each kind of node is written as StableHLO; lower.cc calls these.
#pragma once

#include <vector>

#include "backend/stablehlo/bound.h"
#include "backend/stablehlo/lower.h"
#include "backend/stablehlo/text.h"
#include "graph/graph.h"

namespace ssd::stablehlo {

// A node about to be lowered.
struct NodeSite {
  Body& body;
  const graph::Graph& graph;
  const graph::Node& node;
  // Of the node's inputs' types. An input that this kind takes in parts (takes_parts) may be only a type
  // here.
  const std::vector<Term>& inputs;
  const std::vector<Bound>& bound;  // the same inputs, with their parts
  const LowerOptions& options;
  // Of a convolution's result: those of its node, or more, filled with zeros, where head_view is its user.
  std::int64_t channels = 0;

  Element element(int output) const { return element_of(node.outputs[output].dtype); }
  const Shape& shape(int output) const { return node.outputs[output].shape; }
};

// convolution.cc
Bound convolution(const NodeSite& site);  // with bias, residual and ReLU where the node has them
Term convolution_grad_input(const NodeSite& site);
std::vector<Term> convolution_grad_weight(const NodeSite& site);

// pooling.cc
Term max_pool(const NodeSite& site);
Term max_pool_grad(const NodeSite& site);

// layers.cc
Term normalize(const NodeSite& site);
std::vector<Bound> batch_norm(const NodeSite& site);
std::vector<Bound> batch_norm_grad(const NodeSite& site);
std::vector<Bound> head_view(const NodeSite& site);
std::vector<Bound> head_view_grad(const NodeSite& site);
std::vector<Term> running_statistics(const NodeSite& site);
std::vector<Term> update(const NodeSite& site);
Term squared_norm(const NodeSite& site);
std::vector<Term> all_reduce(const NodeSite& site);

// loss.cc
std::vector<Term> multibox_loss(const NodeSite& site);
std::vector<Bound> multibox_loss_grad(const NodeSite& site);

// Whether a kind does with the parts of its input number `index`, where it comes in parts.
bool takes_parts(graph::Kind kind, std::size_t index);

}  // namespace ssd::stablehlo
