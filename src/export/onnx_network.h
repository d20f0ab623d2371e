// The network's inference graph in ONNX's operators.
#pragma once

#include <string>

#include "base/tensor.h"
#include "export/export_format.h"
#include "export/onnx_model.h"
#include "graph/graph.h"

namespace ssd::onnx {

// Names of f32 values: what the network says of every default box.
struct NetworkValues {
  std::string loc;   // (N, 4, 8732): offsets dcx, dcy, log width, log height
  std::string conf;  // (N, C, 8732): logits, class 0 the background
};

// Appends an inference graph, whose images become the model's input "images": activations are NCHW, as in all
// of ONNX. `parameters` are the graph's. With f16 all convolutions and what lies between them are in f16.
// Throws Error for weights that f16 cannot hold.
NetworkValues append_network(Model& model, const graph::Graph& graph, const TensorMap& parameters,
                             const ExportOptions& options);

// The dimension N of all inputs and outputs.
Dimension batch_dimension(const ExportOptions& options);

}  // namespace ssd::onnx
