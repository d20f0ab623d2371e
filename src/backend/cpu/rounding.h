// Values of 8 bits: which of a graph's activations are held so, and the rounding itself.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "graph/graph.h"

namespace ssd::cpu {

struct Task;

// How the first output of a node is held.
struct Rounded {
  bool channels_last = false;  // as quantised convolutions take and give it
  graph::Rounding rounding = {};
};

// Of every node. In 8 bits are the results that a quantised convolution rounds, their pools, and the values
// that quantised convolutions alone take, all with one rounding; results that are not rounded stay f32.
std::vector<Rounded> rounded_values(const graph::Graph& graph);

// Throws Error where a task takes values of 8 bits, or f32 with the channels last, that its kind has no code
// for.
void check_rounding(const Task& task);

// To the nearest multiple of the scale, which is stored as u8, or s8 with a sign; ties to even. And back.
void round_to_bytes(const graph::Rounding& rounding, std::span<const float> values, std::byte* bytes);
void values_of_bytes(const graph::Rounding& rounding, const std::byte* bytes, std::span<float> values);

// A convolution weight (O,I,R,S), row-major, as s8 of the same order, and the scale of every output channel.
void round_weight(std::span<const float> weight, std::span<float> scales, std::int8_t* bytes);

}  // namespace ssd::cpu
