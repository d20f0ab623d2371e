#include <fmt/format.h>
#include <fmt/ranges.h>

#include "graph/graph.h"

namespace ssd::graph {
namespace {

std::string to_string(const char* what, const Rounding& rounding) {
  return rounding ? fmt::format("{} in {} of {:.6g}", what, rounding.has_sign ? "s8" : "u8", rounding.scale)
                  : std::string();
}

struct Describe {
  std::string operator()(const std::monostate&) const { return ""; }
  std::string operator()(const InputAttributes& a) const { return a.sharded ? "" : " replicated"; }
  std::string operator()(const NormalizeAttributes& a) const {
    return fmt::format(" mean {}, std {}", fmt::join(a.mean, "/"), fmt::join(a.standard_deviation, "/"));
  }
  std::string operator()(const ConvolutionAttributes& a) const {
    return fmt::format(" kernel {}, stride {}, padding {}{}{}{}{}", a.kernel, a.stride, a.padding,
                       a.compute == DType::bf16 ? ", bf16" : "", a.relu ? ", relu" : "",
                       to_string(", x", a.x_rounding), to_string(", y", a.y_rounding));
  }
  std::string operator()(const BatchNormAttributes& a) const {
    return fmt::format(" epsilon {}{}{}{}", a.epsilon, a.residual ? ", residual" : "", a.relu ? ", relu" : "",
                       a.group > 1 ? fmt::format(", group {}", a.group) : "");
  }
  std::string operator()(const PoolAttributes& a) const {
    return fmt::format(" window {}, stride {}, padding {}", a.window, a.stride, a.padding);
  }
  std::string operator()(const HeadAttributes& a) const {
    return fmt::format(" levels {}, classes {}", a.levels.size(), a.classes);
  }
  std::string operator()(const LossAttributes& a) const {
    std::string text =
        fmt::format(" scale {}/{}, negatives {}", a.scale_xy, a.scale_wh, a.negatives_per_positive);
    if (a.label_smoothing > 0) text += fmt::format(", smoothing {}", a.label_smoothing);
    if (a.loc_weight != 1 || a.conf_weight != 1)
      text += fmt::format(", weights {}/{}", a.loc_weight, a.conf_weight);
    if (a.background_negatives > 0) text += fmt::format(", background {}", a.background_negatives);
    return text;
  }
  std::string operator()(const RunningAttributes& a) const {
    return fmt::format(" momentum {}, count {}", a.momentum, a.count);
  }
  std::string operator()(const UpdateAttributes& a) const { return " " + to_string(a.rule); }
};

std::string to_string(Value value) {
  return value.output == 0 ? fmt::format("%{}", value.node) : fmt::format("%{}.{}", value.node, value.output);
}

}  // namespace

std::string to_string(const Graph& graph) {
  std::string text;
  int number = 0;
  for (const Node& node : graph.nodes()) {
    std::vector<std::string> inputs, outputs;
    for (const Value value : node.inputs) inputs.push_back(to_string(value));
    for (const TensorType& type : node.outputs) outputs.push_back(to_string(type));
    text += fmt::format("%{} = {}({}){} : {}  # {}\n", number++, name_of(node.kind), fmt::join(inputs, ", "),
                        std::visit(Describe{}, node.attributes), fmt::join(outputs, ", "), node.name);
  }
  for (const Update& update : graph.updates())
    text += fmt::format("update {} <- {}\n", graph.nodes()[update.parameter].name, to_string(update.value));
  for (const Output& output : graph.outputs())
    text += fmt::format("output {} = {}\n", output.name, to_string(output.value));
  return text;
}

}  // namespace ssd::graph
