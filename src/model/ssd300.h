// SSD300 v1.1: ResNet features, five additional blocks, two heads a level; its training step and its
// inference pass as graphs (Liu et al., "SSD: Single Shot MultiBox Detector", 2016).
#pragma once

#include <vector>

#include "graph/graph.h"
#include "model/layers.h"
#include "model/options.h"

namespace ssd::model {

constexpr std::int64_t image_size = 300;      // pixels, height and width
constexpr std::int64_t default_boxes = 8732;  // D
// Pixel statistics of ImageNet (RGB in 0..1) that images are normalized with.
constexpr std::array<double, 3> pixel_mean{0.485, 0.456, 0.406};
constexpr std::array<double, 3> pixel_standard_deviation{0.229, 0.224, 0.225};

// Gradient accumulation runs a step as several micro-batches: one `first`, any number of `middle`, one
// `last`, which updates the weights. The parameters "gradient/NAME" carry the sums.
enum class Accumulation { none, first, middle, last };

struct TrainingOptions {
  std::int64_t batch = 8;       // N, images a replica
  std::int64_t max_boxes = 64;  // G, ground-truth boxes an image, padded
  double momentum = 0.9;
  double weight_decay = 5e-4;  // of tensors of rank > 1 only
  int replicas = 1;
  int batch_norm_group = 1;  // replicas that share batch-norm statistics
  Accumulation accumulation = Accumulation::none;
  bool inspect = false;  // also output "loc", "conf" and every "gradient/NAME"
};

// One step. Inputs, in this order:
//   images u8 (N,300,300,3) RGB; match i32 (N,D): index into the image's boxes, or -1; boxes f32 (N,G,4)
//   cxcywh in 0..1; labels i32 (N,G) in 1..K-1; learning_rate f32 (); loss_scale f32 (): multiplies the
//   gradients (1 / number of micro-batches).
// Outputs: loss f32 (), loc_loss f32 (N), conf_loss f32 (N), positives i32 (N).
// Parameters: weights NAME, "momentum/NAME", running statistics, default_boxes f32 (D,4) cxcywh.
graph::Graph training_graph(const ModelOptions& model, const TrainingOptions& options);

// Inference. Input: images u8 (N,300,300,3). Outputs: loc f32 (N,D,4), conf f32 (N,D,K): offsets and logits.
// Parameters: the folded weights (state.h).
graph::Graph inference_graph(const ModelOptions& model, std::int64_t batch);

// The batch-norm statistics of one batch: after a step the running statistics are those of the batch (the
// variance unbiased). Input: images u8 (N,300,300,3). No outputs. Parameters: the weights and running
// statistics of all layers but the heads.
graph::Graph statistics_graph(const ModelOptions& model, std::int64_t batch);

// Every convolution of the network, in order.
std::vector<ConvolutionLayer> convolution_layers(const ModelOptions& model);

// Default boxes a cell at each of the six levels.
constexpr std::array<std::int64_t, 6> boxes_per_cell{4, 6, 6, 6, 4, 4};

}  // namespace ssd::model
