#include "backend/cpu/rounding.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "backend/cpu/executor.h"
#include "base/error.h"

namespace ssd::cpu {
namespace {

using graph::ConvolutionAttributes;
using graph::Graph;
using graph::Kind;
using graph::Node;
using graph::Rounding;

bool is_quantised(const Node& node) {
  return node.kind == Kind::fused_convolution && node.as<ConvolutionAttributes>().x_rounding;
}

// What everything that reads a node's first output rounds it to; a residual is taken as it comes. None where
// readers differ or others read it.
std::vector<Rounding> wanted_roundings(const Graph& graph) {
  const std::size_t count = graph.nodes().size();
  std::vector<Rounding> wanted(count);
  std::vector<bool> refused(count);
  const auto refuse = [&](graph::Value value) { refused[value.node] = true; };
  for (const Node& node : graph.nodes())
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      const int made_by = node.inputs[i].node;
      if (!is_quantised(node) || (i != 0 && i != 3)) {
        refuse(node.inputs[i]);
        continue;
      }
      if (i == 3) continue;
      const Rounding& rounding = node.as<ConvolutionAttributes>().x_rounding;
      if (wanted[made_by] && !(wanted[made_by] == rounding)) refuse(node.inputs[i]);
      wanted[made_by] = rounding;
    }
  for (const graph::Output& output : graph.outputs()) refuse(output.value);
  for (std::size_t i = 0; i < count; ++i)
    if (refused[i]) wanted[i] = {};
  return wanted;
}

std::pair<double, double> range_of(const Rounding& rounding) {
  return rounding.has_sign ? std::pair(-128.0, 127.0) : std::pair(0.0, 255.0);
}

}  // namespace

std::vector<Rounded> rounded_values(const Graph& graph) {
  const std::vector<Rounding> wanted = wanted_roundings(graph);
  std::vector<Rounded> result;
  for (const Node& node : graph.nodes()) {
    const std::size_t id = result.size();
    if (is_quantised(node))
      result.push_back({true, node.as<ConvolutionAttributes>().y_rounding});
    else if (node.kind == Kind::max_pool)
      result.push_back(result[node.inputs[0].node]);
    else if (node.kind == Kind::input || node.kind == Kind::parameter || node.kind == Kind::normalize)
      result.push_back({static_cast<bool>(wanted[id]), wanted[id]});
    else
      result.push_back({});
  }
  return result;
}

void check_rounding(const Task& task) {
  const Node& node = *task.node;
  const bool quantised = is_quantised(node), pools = node.kind == Kind::max_pool;
  const auto* convolution = std::get_if<ConvolutionAttributes>(&node.attributes);
  bool fits = convolution == nullptr || !convolution->y_rounding || quantised;
  if (quantised) fits = task.in(0).rounding == convolution->x_rounding;
  for (std::size_t i = 0; i < task.input_layouts.size(); ++i) {
    const Layout& in = task.in(i);
    if (quantised && i == 3) fits = fits && in.rounding && convolution->y_rounding;
    if (in.form != Form::channels_last || in.bf16) continue;
    if (pools) fits = fits && in.rounding && !in.rounding.has_sign;
    if (node.kind == Kind::head_view) fits = fits && !in.rounding;
    if (!quantised && !pools && node.kind != Kind::head_view) fits = false;
  }
  if (!fits)
    throw Error(
        "cpu: {} '{}': got operands rounded to 8 bits in a way that has no code; round what quantised "
        "convolutions take and give, up to the heads",
        graph::name_of(node.kind), node.name);
}

void round_to_bytes(const Rounding& rounding, std::span<const float> values, std::byte* bytes) {
  const auto [least, most] = range_of(rounding);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double nearest = std::nearbyint(static_cast<double>(values[i]) / rounding.scale);
    bytes[i] = static_cast<std::byte>(static_cast<int>(std::clamp(nearest, least, most)));
  }
}

void values_of_bytes(const Rounding& rounding, const std::byte* bytes, std::span<float> values) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto byte = static_cast<std::uint8_t>(bytes[i]);
    const int multiple = rounding.has_sign ? static_cast<std::int8_t>(byte) : byte;
    values[i] = static_cast<float>(multiple * rounding.scale);
  }
}

void round_weight(std::span<const float> weight, std::span<float> scales, std::int8_t* bytes) {
  const std::size_t channel = weight.size() / scales.size();
  for (std::size_t o = 0; o < scales.size(); ++o) {
    const std::span<const float> values = weight.subspan(o * channel, channel);
    float most = 0;
    for (const float value : values) most = std::max(most, std::abs(value));
    const double scale = most > 0 ? static_cast<double>(most) / 127 : 1;
    scales[o] = static_cast<float>(scale);
    for (std::size_t i = 0; i < channel; ++i)
      bytes[o * channel + i] =
          static_cast<std::int8_t>(std::nearbyint(static_cast<double>(values[i]) / scale));
  }
}

}  // namespace ssd::cpu
