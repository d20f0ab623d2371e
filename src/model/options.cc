#include "model/options.h"

#include "base/error.h"

namespace ssd::model {

std::string_view name_of(Backbone backbone) {
  switch (backbone) {
    case Backbone::resnet18:
      return "resnet18";
    case Backbone::resnet34:
      return "resnet34";
    case Backbone::resnet50:
      return "resnet50";
    case Backbone::resnet101:
      return "resnet101";
    case Backbone::resnet152:
      return "resnet152";
  }
  return "?";
}

std::string_view name_of(StrideIn stride_in) {
  switch (stride_in) {
    case StrideIn::conv3x3:
      return "3x3";
    case StrideIn::conv1x1:
      return "1x1";
  }
  return "?";
}

Backbone backbone_named(std::string_view name) {
  for (const Backbone backbone :
       {Backbone::resnet18, Backbone::resnet34, Backbone::resnet50, Backbone::resnet101, Backbone::resnet152})
    if (name_of(backbone) == name) return backbone;
  throw Error("backbone: got '{}', expected resnet18, resnet34, resnet50, resnet101 or resnet152", name);
}

StrideIn stride_in_named(std::string_view name) {
  for (const StrideIn stride_in : {StrideIn::conv3x3, StrideIn::conv1x1})
    if (name_of(stride_in) == name) return stride_in;
  throw Error("stride of the bottlenecks: got '{}', expected 3x3 or 1x1", name);
}

}  // namespace ssd::model
