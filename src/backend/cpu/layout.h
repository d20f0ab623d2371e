// How the CPU backend lays a graph's values out in memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "graph/graph.h"

namespace ssd::cpu {

enum class Form {
  dense,         // as in the graph: row-major; vectors (C) are followed by zeros up to `vector_padding`
  planar,        // activation (N,H,W,C) as [N][C][H][W]
  blocked,       // activation (N,H,W,C) as [N][C/B][H][W][B]; channels beyond C are zero
  weight,        // convolution weight (O,I,R,S) as [O/B][I/B][R][S][B of I][B of O], padded with zeros
  thin_weight,   // convolution weight (O,I,R,S) as [O/B][R][S][I][B of O], padded with zeros: few channels in
  channels_last  // activation (N,H,W,C) as in the graph, of convolutions in 8 or 16 bits
};

// Vectors are padded to a multiple of this many elements, so that kernels may read whole blocks.
constexpr std::int64_t vector_padding = 16;

struct Layout {
  Form form = Form::dense;
  graph::TensorType type;  // dtype and shape in the graph
  std::int64_t block = 8;  // B
  // channels_last: what the values were rounded to. They are then held in 8 bits, as multiples of its scale.
  graph::Rounding rounding = {};
  // channels_last: the values are held in bf16, also where the graph has f32 that its readers round.
  bool bf16 = false;

  std::int64_t elements() const;  // with padding
  std::size_t bytes() const {
    return static_cast<std::size_t>(elements()) * (rounding ? 1 : bf16 ? 2 : size_of(type.dtype));
  }
  // Blocks of B that cover `channels`.
  std::int64_t blocks(std::int64_t channels) const { return (channels + block - 1) / block; }

  bool operator==(const Layout&) const = default;
};

// Copies from the graph's order into the layout, filling the padding with zeros, and back.
void pack(const Layout& layout, const std::byte* dense, std::byte* laid_out);
void unpack(const Layout& layout, const std::byte* laid_out, std::byte* dense);

// The layout of every value of a graph: [node][output]. What stands in for a convolution's weight (its
// gradient, its momentum, sums of them) has the weight's layout, a function of the shape alone, so graphs can
// share parameters; f32 images of rank 4 are blocked, the normalized input of a convolution is planar. What
// convolutions in 8 or 16 bits take and give has its channels last (rounding.h, bf16_values.h).
std::vector<std::vector<Layout>> layouts_of(const graph::Graph& graph, std::int64_t block);

}  // namespace ssd::cpu
