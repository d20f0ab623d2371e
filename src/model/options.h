// Which network: the choices that change SSD300's graph or its weights.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/dtype.h"

namespace ssd::model {

enum class Backbone { resnet18, resnet34, resnet50, resnet101, resnet152 };

// Where a bottleneck that halves the resolution has its stride: in the 3x3 convolution (torchvision, "v1.5")
// or in the first 1x1 (He et al. 2015, "v1"). The weights have the same shapes, so checkpoints name the
// choice.
enum class StrideIn { conv3x3, conv1x1 };

struct ModelOptions {
  Backbone backbone = Backbone::resnet50;
  StrideIn stride_in = StrideIn::conv3x3;
  std::int64_t classes = 81;   // with background, which is class 0
  DType compute = DType::f32;  // of the convolutions: f32 or bf16 (with f32 accumulation)
  // The backbone's first stages that do not learn, 0 to 4: 1 is conv1 and bn1, 2 also layer1, 3 layer2, 4
  // layer3. Their batch norms use the running statistics, which stay as they are.
  int frozen_stages = 0;
  // Inference alone: what activations are multiples of (graph::Rounding) in the quantised network, by the
  // names of the nodes that make them: rounded_activations() of ssd300.h. Empty: it is not quantised.
  std::map<std::string, double> activation_scales = {};
};

std::string_view name_of(Backbone backbone);   // "resnet50"
std::string_view name_of(StrideIn stride_in);  // "3x3", "1x1"

// Throw Error listing the names there are.
Backbone backbone_named(std::string_view name);
StrideIn stride_in_named(std::string_view name);

}  // namespace ssd::model
