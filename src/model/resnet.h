// ResNet backbones (He et al. 2015) up to conv4_x, as SSD300 v1.1 uses them.
#pragma once

#include "model/layers.h"
#include "model/options.h"

namespace ssd::model {

// Images (N,300,300,3), normalized -> features (N,38,38,C), C = 256 for resnet18/34 and 1024 for the others.
// conv4_x keeps the resolution of conv3_x (all its strides are 1). Parameters are named
// feature_extractor.feature_extractor.{0,1,4,5,6}..., as in the reference's state_dict.
graph::Value append_resnet(LayerBuilder& layers, graph::Value images, const ModelOptions& options);

// The state_dict name of a torchvision ResNet tensor ("layer1.0.conv1.weight"); empty for those SSD300 does
// not have (layer4, fc).
std::string ssd_name_of_torchvision(const std::string& name);

}  // namespace ssd::model
