#include "backend/cpu/schedule.h"

namespace ssd::cpu {
namespace {

using graph::Graph;
using graph::Kind;
using graph::Node;
using graph::Value;

// For every node, how often anything reads its first output.
std::vector<int> reader_counts(const Graph& graph) {
  std::vector<int> counts(graph.nodes().size());
  const auto count = [&](Value value) {
    if (value.output == 0) ++counts[value.node];
  };
  for (const Node& node : graph.nodes())
    for (const Value input : node.inputs) count(input);
  for (const graph::Output& output : graph.outputs()) count(output.value);
  for (const graph::Update& update : graph.updates()) count(update.value);
  return counts;
}

bool is_leaf(Kind kind) { return kind == Kind::input || kind == Kind::parameter; }

// The add that makes the first input of a batch norm's gradient and nothing else; -1: none.
int fusible_sum(const Graph& graph, const Node& node, const std::vector<int>& readers) {
  if (node.kind != Kind::batch_norm_grad) return -1;
  const int sum = node.inputs[0].node;
  return graph.nodes()[sum].kind == Kind::add && readers[sum] == 1 ? sum : -1;
}

}  // namespace

Value Schedule::resolve(const Graph& graph, Value value) const {
  while (graph.nodes()[value.node].kind == Kind::all_reduce)
    value = graph.nodes()[value.node].inputs[value.output];
  return value;
}

Schedule schedule(const Graph& graph, std::int64_t block, const std::set<std::string>& updated) {
  Schedule result{layouts_of(graph, block), {}};
  const std::vector<int> readers = reader_counts(graph);
  std::vector<int> fused(graph.nodes().size(), -1);
  std::set<int> gone;
  for (int id = 0; id < static_cast<int>(graph.nodes().size()); ++id) {
    fused[id] = fusible_sum(graph, graph.nodes()[id], readers);
    if (fused[id] >= 0) gone.insert(fused[id]);
  }

  for (int id = 0; id < static_cast<int>(graph.nodes().size()); ++id) {
    const Node& node = graph.nodes()[id];
    if (is_leaf(node.kind) || node.kind == Kind::all_reduce || gone.contains(id)) continue;
    Task task{.id = id, .node = &node, .inputs = node.inputs, .output_layouts = result.layouts[id]};
    if (fused[id] >= 0) {
      const Node& sum = graph.nodes()[fused[id]];
      task.inputs[0] = sum.inputs[0];
      task.inputs.push_back(sum.inputs[1]);
      task.summed_gradient = true;
    }
    task.unresolved_inputs = task.inputs;
    for (Value& input : task.inputs) {
      input = result.resolve(graph, input);
      task.input_layouts.push_back(result.layouts[input.node][input.output]);
    }
    if (task.inputs.size() > 1) {
      const Node& weight = graph.node(task.inputs[1]);
      task.constant_weight = weight.kind == Kind::parameter && !updated.contains(weight.name);
    }
    result.tasks.push_back(std::move(task));
  }
  return result;
}

}  // namespace ssd::cpu
